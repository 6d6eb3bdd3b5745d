// Image policy: the clipped ratio of every trained denoising step (UniGRPO Eq. 5, 6).

#include "diptych/algorithm/image_loss.h"

#include <algorithm>

#include "diptych/tensor/device.h"
#include "diptych/train/losses/loss_term.h"

namespace diptych {

namespace {

// From the implied noise and the change of the mean, never as a difference of log-probabilities.
TermValue image_policy(const WindowRows& rows, const LossOptions& options) {
  const auto of_rows = [&](const std::vector<double>& values) {
    return on_device(at::tensor(values, at::kDouble), rows.velocity.options());
  };
  const Tensor weight = of_rows(step_weights(rows.dt, rows.images, options.inverse_dt)).repeat({rows.stages()});
  const Tensor old_mean = mean_under(rows.old_velocity, rows);
  const Tensor noise = (rows.next - old_mean) / rows.std.view({-1, 1, 1});
  const Tensor change = rows.mean - old_mean;
  const Tensor log_ratio =
      options.ratio_norm ? ratio_norm_log_ratio(noise, change) : plain_log_ratio(noise, change, rows.std);
  const Tensor advantage = of_rows(clamped(rows.advantages, options.image_advantage_clamp));
  const PolicyLoss policy = image_policy_loss(log_ratio, advantage, weight, options.image_clip);
  return {policy.loss, policy.ratios};
}

}  // namespace

std::vector<LossTerm> image_loss() {
  const FirstRatio first{.largest = 0.05, .of = " clips for images", .unit = [](const LossOptions& options) {
                           return std::max(options.image_clip.low, options.image_clip.high);
                         }};
  return {{.name = "image",
           .order = 20,
           .weight = [](const LossOptions& options) { return options.image_weight; },
           .of_windows = image_policy,
           .first_ratio = first}};
}

}  // namespace diptych
