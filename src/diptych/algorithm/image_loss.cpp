#include "diptych/algorithm/image_loss.h"

#include <cmath>

#include "diptych/flow/sample_mean.h"

namespace diptych {

Tensor ratio_norm_log_ratio(const Tensor& noise, const Tensor& mean_change) {
  TORCH_CHECK(noise.sizes() == mean_change.sizes(), "noise ", noise.sizes(), ", mean change ", mean_change.sizes());
  return mean_per_sample(noise * mean_change);
}

Tensor plain_log_ratio(const Tensor& noise, const Tensor& mean_change, const Tensor& std) {
  const Tensor s = std.to(mean_change.options());
  TORCH_CHECK(s.dim() == 1 && s.size(0) == mean_change.size(0), "std ", s.sizes(), " of ", mean_change.size(0),
              " rows");
  return ratio_norm_log_ratio(noise, mean_change) / s - mean_per_sample(mean_change.square()) / (2 * s.square());
}

std::vector<double> step_weights(std::span<const double> dt, int64_t chains, bool inverse_dt) {
  TORCH_CHECK(chains > 0 && !dt.empty(), chains, " chains, ", dt.size(), " steps");
  const auto steps = static_cast<double>(dt.size());
  std::vector<double> weights(dt.size(), 1 / (static_cast<double>(chains) * steps));
  if (!inverse_dt) return weights;
  double mean = 0;
  for (double step : dt) mean += 1 / std::abs(step) / steps;
  for (size_t k = 0; k < dt.size(); ++k) weights[k] /= std::abs(dt[k]) * mean;
  return weights;
}

PolicyLoss image_policy_loss(const Tensor& log_ratio, const Tensor& advantage, const Tensor& weight,
                             const ClipRange& clip) {
  return clipped_policy_loss(log_ratio, advantage, weight, clip);
}

}  // namespace diptych
