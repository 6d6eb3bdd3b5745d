#pragma once
// One step of the sampler from t to t_next < t: Euler, the Flow-GRPO SDE, and CPS, with their log-probabilities.
// Latents are [n, ...] (usually [n, tokens, channels]), n samples of one shape that share the step; any float dtype.

#include "diptych/tensor/torch.h"

#include <span>

namespace diptych {

/** The step x' = x * latent + v * velocity + std * noise. `x` and `v` are the factors of latent and velocity. */
struct StepCoefficients {
  double t = 0;
  double t_next = 0;
  double dt = 0;     // t_next - t, negative
  double sigma = 0;  // SDE: a sqrt(t / (1 - t)); CPS: equal to std
  double std = 0;    // of the injected noise; SDE: sigma sqrt(-dt)
  double x = 1;      // d mean / d latent
  double v = 0;      // d mean / d velocity
};

/** Flow-GRPO SDE with noise level a >= 0 (UniGRPO Eq. 3; flow_grpo sde_step_with_logprob):
 *  x = 1 + sigma^2 dt / (2t), v = (1 + sigma^2 (1 - t) / (2t)) dt. At t = 1 the denominator 1 - t of sigma is taken at
 *  the next grid point. Noise level 0 gives exactly x = 1, v = dt, std = 0. `step` counts updates: 0 .. points - 2. */
StepCoefficients sde_coefficients(std::span<const double> grid, int64_t step, double noise_level);

/** Coefficient-preserving sampling (flow_grpo, "cps") with noise level a >= 0: std = t_next |sin(a pi/2)|, mean =
 *  (1 - t_next)(x - t v) + sqrt(t_next^2 - std^2)(x + (1 - t) v). Noise level 0 gives exactly the Euler step; the last
 *  step is deterministic. */
StepCoefficients cps_coefficients(std::span<const double> grid, int64_t step, double noise_level);

/** x + v dt. */
Tensor euler_step(const Tensor& x, const Tensor& v, double dt);

/** Mean of the transition. Bit for bit the Euler step if the coefficients are those of noise level 0. */
Tensor step_mean(const Tensor& x, const Tensor& v, const StepCoefficients& step);

/** mean + std * noise, with noise standard normal of the shape of mean; the mean itself if std is 0. */
Tensor noisy_step(const Tensor& mean, const Tensor& noise, const StepCoefficients& step);

/** The noise (x_next - mean) / std that leads from the mean to the stored next latent; std > 0. */
Tensor implied_noise(const Tensor& x_next, const Tensor& mean, double std);

/** log N(x_next; mean, std) of the SDE step, averaged over the elements of each sample and without the constants
 *  -log std - log(2 pi)/2: mean of -(x_next - mean)^2 / (2 std^2). Returns [n]; std > 0. */
Tensor gaussian_logprob(const Tensor& x_next, const Tensor& mean, double std);

/** The log-probability that flow_grpo uses for CPS: mean of -(x_next - mean)^2, no division by the variance. [n]. */
Tensor cps_logprob(const Tensor& x_next, const Tensor& mean);

}  // namespace diptych
