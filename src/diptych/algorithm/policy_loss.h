#pragma once
// The clipped policy-gradient loss that text tokens, text sequences and denoising steps share.

#include "diptych/tensor/torch.h"

namespace diptych {

/** The ratio r of new to old probability is clipped to [1 - low, 1 + high]. */
struct ClipRange {
  double low = 0;
  double high = 0;
};

/** How far the policy has moved from the one that sampled. Scalar tensors without gradient on the device of the ratios,
 *  all 0 if there are no ratios; each term counts the same, whatever its weight in the loss. */
struct RatioStatistics {
  int64_t count = 0;
  Tensor ratio_mean;
  Tensor max_abs_log_ratio;
  Tensor fraction_above;  // share with r > 1 + high
  Tensor fraction_below;  // share with r < 1 - low
};

struct PolicyLoss {
  Tensor loss;  // scalar
  RatioStatistics ratios;
};

/** sum_k weight_k max(-A_k r_k, -A_k clip(r_k)), r = exp(log_ratio) (PPO; UniGRPO Eq. 1 and 6 with the signs of a
 * loss). log_ratio, advantage, weight: [K] of one float dtype; only log_ratio carries gradient. Weights hold every
 *  denominator, so the losses and gradients of the parts of a batch add up to those of the whole. r - 1 is computed as
 *  expm1, so that float32 resolves clip ranges of 1e-6. Non-finite terms make the loss non-finite. */
PolicyLoss clipped_policy_loss(const Tensor& log_ratio, const Tensor& advantage, const Tensor& weight,
                               const ClipRange& clip);

}  // namespace diptych
