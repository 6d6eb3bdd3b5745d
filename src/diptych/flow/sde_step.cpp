#include "diptych/flow/sde_step.h"

#include <cmath>
#include <numbers>

#include "diptych/flow/sample_mean.h"

namespace diptych {

namespace {

StepCoefficients euler_coefficients(std::span<const double> grid, int64_t step) {
  TORCH_CHECK(step >= 0 && step + 1 < static_cast<int64_t>(grid.size()), "step ", step, " of a grid of ", grid.size(),
              " points");
  StepCoefficients result{.t = grid[step], .t_next = grid[step + 1]};
  TORCH_CHECK(result.t_next < result.t && result.t <= 1 && result.t_next >= 0, "grid must fall from 1 to 0");
  result.dt = result.t_next - result.t;
  result.v = result.dt;
  return result;
}

}  // namespace

StepCoefficients sde_coefficients(std::span<const double> grid, int64_t step, double noise_level) {
  TORCH_CHECK(noise_level >= 0, "noise level ", noise_level);
  StepCoefficients result = euler_coefficients(grid, step);
  const double t = result.t;
  const double data_part = 1 - (t == 1 ? result.t_next : t);
  result.sigma = noise_level * std::sqrt(t / data_part);
  result.std = result.sigma * std::sqrt(-result.dt);
  const double drift = result.sigma * result.sigma / (2 * t);
  result.x = 1 + drift * result.dt;
  result.v = (1 + drift * (1 - t)) * result.dt;
  return result;
}

StepCoefficients cps_coefficients(std::span<const double> grid, int64_t step, double noise_level) {
  TORCH_CHECK(noise_level >= 0, "noise level ", noise_level);
  StepCoefficients result = euler_coefficients(grid, step);
  const double angle = noise_level * std::numbers::pi / 2;
  result.std = result.t_next * std::abs(std::sin(angle));
  result.sigma = result.std;
  // With keep = sqrt(t_next^2 - std^2): written as deviations from the Euler step, which vanish exactly without noise.
  const double keep = result.t_next * std::abs(std::cos(angle));
  result.x = 1 + (keep - result.t_next);
  result.v = (keep - result.t) + result.t * (result.t_next - keep);
  return result;
}

// Products and sums are separate, correctly rounded operations here and in step_mean: a fused multiply-add would make
// the bits depend on the kernel, and the step without noise differ from Euler.
Tensor euler_step(const Tensor& x, const Tensor& v, double dt) {
  return x + v * dt;
}

Tensor step_mean(const Tensor& x, const Tensor& v, const StepCoefficients& step) {
  return x * step.x + v * step.v;
}

Tensor noisy_step(const Tensor& mean, const Tensor& noise, const StepCoefficients& step) {
  if (step.std == 0) return mean;
  return mean + noise * step.std;
}

Tensor implied_noise(const Tensor& x_next, const Tensor& mean, double std) {
  TORCH_CHECK(std > 0, "a step without noise has no implied noise");
  return (x_next - mean) / std;
}

Tensor gaussian_logprob(const Tensor& x_next, const Tensor& mean, double std) {
  TORCH_CHECK(std > 0, "a step without noise has no density");
  return mean_per_sample((x_next - mean).square()) * (-0.5 / (std * std));
}

Tensor cps_logprob(const Tensor& x_next, const Tensor& mean) {
  return -mean_per_sample((x_next - mean).square());
}

}  // namespace diptych
