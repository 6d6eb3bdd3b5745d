// Text policy: the clipped ratio of every sampled token (UniGRPO Eq. 1, 2), or of every text (GSPO).

#include "diptych/algorithm/text_loss.h"

#include "diptych/tensor/device.h"
#include "diptych/train/losses/loss_term.h"

namespace diptych {

namespace {

PolicyLoss loss_of_texts(const TextRows& rows, const LossOptions& options) {
  const at::TensorOptions like = rows.logprobs.options();
  const std::vector<double> advantages = clamped(rows.advantages, options.text_advantage_clamp);
  const Tensor advantage = on_device(at::tensor(advantages, at::kDouble), like);
  if (options.sequence_ratio) {
    const Tensor weight = at::full_like(advantage, 1.0 / static_cast<double>(rows.sequences));
    return sequence_policy_loss(rows.logprobs, rows.old, rows.lengths, advantage, weight, options.text_clip);
  }
  const Tensor per_token = advantage.repeat_interleave(index_on(rows.lengths, like.device()));
  return text_policy_loss(rows.logprobs, rows.old, per_token, rows.weight, options.text_clip);
}

TermValue text_policy(const TextRows& rows, const LossOptions& options) {
  const PolicyLoss policy = loss_of_texts(rows, options);
  return {policy.loss, policy.ratios};
}

}  // namespace

std::vector<LossTerm> text_loss() {
  const FirstRatio first{.largest = 1e-4, .of = " for text", .unit = [](const LossOptions&) { return 1.0; }};
  return {{.name = "text",
           .order = 10,
           .weight = [](const LossOptions& options) { return options.text_weight; },
           .of_texts = text_policy,
           .first_ratio = first}};
}

}  // namespace diptych
