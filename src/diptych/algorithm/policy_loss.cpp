#include "diptych/algorithm/policy_loss.h"

namespace diptych {

namespace {

RatioStatistics ratio_statistics(const Tensor& log_ratio, const Tensor& excess, const ClipRange& clip) {
  const auto dtype = log_ratio.scalar_type();
  const int64_t count = log_ratio.numel();
  if (count == 0) {
    const Tensor zero = at::zeros({}, log_ratio.options());
    return {0, zero, zero, zero, zero};
  }
  return {.count = count,
          .ratio_mean = excess.mean() + 1,
          .max_abs_log_ratio = log_ratio.abs().amax(),
          .fraction_above = (excess > clip.high).to(dtype).mean(),
          .fraction_below = (excess < -clip.low).to(dtype).mean()};
}

}  // namespace

PolicyLoss clipped_policy_loss(const Tensor& log_ratio, const Tensor& advantage, const Tensor& weight,
                               const ClipRange& clip) {
  TORCH_CHECK(log_ratio.dim() == 1 && advantage.sizes() == log_ratio.sizes() && weight.sizes() == log_ratio.sizes(),
              "log ratio ", log_ratio.sizes(), ", advantage ", advantage.sizes(), ", weight ", weight.sizes());
  TORCH_CHECK(clip.low >= 0 && clip.high >= 0, "clip range ", clip.low, ", ", clip.high);
  const Tensor excess = at::expm1(log_ratio);  // r - 1
  const Tensor worse = at::maximum(-advantage * excess, -advantage * excess.clamp(-clip.low, clip.high));
  return {.loss = (weight * (worse - advantage)).sum(),
          .ratios = ratio_statistics(log_ratio.detach(), excess.detach(), clip)};
}

}  // namespace diptych
