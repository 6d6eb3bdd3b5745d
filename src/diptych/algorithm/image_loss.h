#pragma once
// Policy losses of denoising steps. A row is one (chain, window step); rows of one latent shape are batched as
// [n, tokens, channels], rows of other shapes are further calls: weights hold all denominators, so the parts add up.

#include "diptych/tensor/torch.h"

#include <span>

#include "diptych/algorithm/policy_loss.h"

namespace diptych {

/** log r~ of RatioNorm = mean over elements of noise * mean_change, [n].
 *  noise: (x_next - mean_old) / std of the rollout (`implied_noise`). mean_change: mean_new - mean_old of the
 * transition [n, ...], with gradient. Equal to std (log r + mean(mean_change^2) / (2 std^2)) with per-sample means, but
 * without the cancellation that costs float32 15 % of a 2e-7 value. Source: GRPO-Guard; UniGRPO Eq. 5. */
Tensor ratio_norm_log_ratio(const Tensor& noise, const Tensor& mean_change);

/** log r of the plain SDE step = mean(noise mean_change) / std - mean(mean_change^2) / (2 std^2), [n]; the difference
 * of the two averaged log-probabilities. std: [n], float64 or the dtype of the latents. */
Tensor plain_log_ratio(const Tensor& noise, const Tensor& mean_change, const Tensor& std);

/** Weights of the steps of one chain's window: 1 / (chains * steps). With `inverse_dt`, each is multiplied by 1/|dt|
 *  divided by its mean over the window (UniRL grad_reweight), which leaves the sum at 1 / chains.
 *  dt: the step sizes of the window. chains: of the whole batch, over all micro-batches and ranks. */
std::vector<double> step_weights(std::span<const double> dt, int64_t chains, bool inverse_dt);

/** sum_k weight_k max(-A_k r_k, -A_k clip(r_k)) over rows. log_ratio: from either function above; log_ratio, advantage,
 *  weight: [n]. (UniGRPO Eq. 6.) */
PolicyLoss image_policy_loss(const Tensor& log_ratio, const Tensor& advantage, const Tensor& weight,
                             const ClipRange& clip);

}  // namespace diptych
