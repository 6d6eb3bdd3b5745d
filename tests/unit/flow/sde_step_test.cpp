#include "diptych/flow/sde_step.h"

#include <cmath>
#include <random>

#include "diptych/flow/sample_mean.h"
#include "diptych/flow/timestep_grid.h"
#include "support/compare.h"

namespace diptych {
namespace {

/** Standard normal numbers from a fixed sequence, float64. */
Tensor normal(at::IntArrayRef shape, uint32_t seed) {
  std::mt19937 engine(seed);
  std::normal_distribution<double> distribution;
  Tensor result = at::empty(shape, at::kDouble);
  double* values = result.mutable_data_ptr<double>();
  for (int64_t i = 0; i < result.numel(); ++i) values[i] = distribution(engine);
  return result;
}

TEST(SdeStep, NoiseZeroIsEulerBitForBit) {
  for (auto dtype : {at::kFloat, at::kDouble}) {
    // 333 elements a sample: vector lanes and their remainders both occur.
    const Tensor x = normal({3, 37, 9}, 1).to(dtype);
    const Tensor v = normal({3, 37, 9}, 2).to(dtype);
    const Tensor noise = normal({3, 37, 9}, 3).to(dtype);
    for (int64_t points : {2, 6, 26, 51}) {
      const std::vector<double> grid = timestep_grid(points, 3);
      for (int64_t k = 0; k + 1 < points; ++k) {
        const Tensor euler = euler_step(x, v, grid[k + 1] - grid[k]);
        for (const StepCoefficients& step : {sde_coefficients(grid, k, 0), cps_coefficients(grid, k, 0)}) {
          EXPECT_EQ(step.std, 0);
          EXPECT_EQ(step.x, 1);
          EXPECT_EQ(step.v, step.dt);
          EXPECT_TRUE(same_bits(noisy_step(step_mean(x, v, step), noise, step), euler)) << points << " step " << k;
        }
      }
    }
  }
}

TEST(SdeStep, SamplesDoNotDependOnTheirBatch) {
  const Tensor x = normal({5, 37, 9}, 1).to(at::kFloat);
  const Tensor v = normal({5, 37, 9}, 2).to(at::kFloat);
  const Tensor noise = normal({5, 37, 9}, 3).to(at::kFloat);
  const StepCoefficients step = sde_coefficients(timestep_grid(26, 3), 1, 0.8);
  const Tensor batch = noisy_step(step_mean(x, v, step), noise, step);
  for (int64_t i = 0; i < 5; ++i) {
    const auto one = [&](const Tensor& all) { return all.slice(0, i, i + 1).clone(); };
    EXPECT_TRUE(same_bits(noisy_step(step_mean(one(x), one(v), step), one(noise), step), one(batch))) << i;
  }
}

TEST(SdeStep, FirstStepTakesTheSecondGridPoint) {
  const std::vector<double> grid = timestep_grid(26, 3);
  const double a = 0.8;
  const StepCoefficients first = sde_coefficients(grid, 0, a);
  // With 1 - t := 1 - t_1 = -dt, the injected noise has std a and the latent the factor 1 - a^2 / 2.
  EXPECT_NEAR(first.std, a, 1e-14);
  EXPECT_NEAR(first.x, 1 - a * a / 2, 1e-14);
  EXPECT_NEAR(first.v, grid[1] - 1, 1e-16);
}

TEST(SdeStep, TheFirstStepInjectsTheNoiseLevelWhateverTheShift) {
  const double a = 0.8;
  for (const double shift : {1e-3, 0.1, 0.3, 0.301, 0.49, 1.0, 3.0, 1e3}) {
    for (const int64_t points : {3, 6, 26, 1001}) {
      const std::vector<double> grid = timestep_grid(points, shift);
      const StepCoefficients first = sde_coefficients(grid, 0, a);
      EXPECT_NEAR(first.std, a, 1e-9) << shift << ", " << points;
      EXPECT_NEAR(first.x, 1 - a * a / 2, 1e-9) << shift << ", " << points;
      for (int64_t k = 0; k + 1 < points; ++k) {
        const StepCoefficients sde = sde_coefficients(grid, k, a), cps = cps_coefficients(grid, k, a);
        for (const double value : {sde.sigma, sde.std, sde.x, sde.v, cps.std, cps.x, cps.v})
          EXPECT_TRUE(std::isfinite(value)) << shift << ", " << points << ", step " << k;
        EXPECT_GT(sde.std, 0);
      }
    }
  }
}

TEST(SdeStep, FirstAndLastStepInFloat32FollowFloat64) {
  const std::vector<double> grid = timestep_grid(26, 3);
  const Tensor x = normal({2, 40, 16}, 4);
  const Tensor v = normal({2, 40, 16}, 5);
  const Tensor noise = normal({2, 40, 16}, 6);
  for (int64_t k : {0, 24}) {
    const StepCoefficients step = sde_coefficients(grid, k, 0.8);
    EXPECT_TRUE(std::isfinite(step.sigma) && std::isfinite(step.x) && std::isfinite(step.v) && step.std > 0);
    const Tensor mean = step_mean(x, v, step);
    const Tensor mean32 = step_mean(x.to(at::kFloat), v.to(at::kFloat), step);
    EXPECT_TRUE(close(mean32, mean.to(at::kFloat), {.normalised = 1e-6}));
    const Tensor next = noisy_step(mean, noise, step);
    EXPECT_TRUE(close(noisy_step(mean32, noise.to(at::kFloat), step), next.to(at::kFloat), {.normalised = 1e-6}));
    EXPECT_TRUE(close(gaussian_logprob(next.to(at::kFloat), mean32, step.std),
                      gaussian_logprob(next, mean, step.std).to(at::kFloat), {.normalised = 1e-5}));
    EXPECT_TRUE(
        close(gaussian_logprob(next, mean, step.std), -mean_per_sample(noise.square()) / 2, {.normalised = 1e-12}));
    EXPECT_TRUE(close(implied_noise(next, mean, step.std), noise, {.normalised = 1e-12}));
  }
}

TEST(SdeStep, CpsKeepsTheNoiseLevelOfTheLatent) {
  // If x = (1 - t) x0 + t eps and v = eps - x0, the next latent has data part 1 - t_next and noise variance t_next^2.
  const std::vector<double> grid = timestep_grid(26, 3);
  for (int64_t k = 0; k < 25; ++k) {
    const StepCoefficients step = cps_coefficients(grid, k, 0.7);
    EXPECT_NEAR(step.x * (1 - step.t) - step.v, 1 - step.t_next, 1e-14);
    const double noise = step.x * step.t + step.v;
    EXPECT_NEAR(noise * noise + step.std * step.std, step.t_next * step.t_next, 1e-14);
  }
  EXPECT_EQ(cps_coefficients(grid, 24, 0.7).std, 0);
}

TEST(SdeStep, RejectsStepsThatDoNotExist) {
  const std::vector<double> grid = timestep_grid(6, 2);
  EXPECT_ANY_THROW(sde_coefficients(grid, 5, 0.8));
  EXPECT_ANY_THROW(sde_coefficients(grid, -1, 0.8));
  EXPECT_ANY_THROW(sde_coefficients(grid, 0, -0.1));
  EXPECT_ANY_THROW(sde_coefficients(std::vector<double>{0, 1}, 0, 0.8));
  EXPECT_ANY_THROW(cps_coefficients(grid, 0, -0.1));
  const Tensor x = at::zeros({1, 2, 3});
  EXPECT_ANY_THROW(gaussian_logprob(x, x, 0));
  EXPECT_ANY_THROW(implied_noise(x, x, 0));
}

}  // namespace
}  // namespace diptych
