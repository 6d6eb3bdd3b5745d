#include "diptych/algorithm/text_loss.h"

#include <algorithm>

namespace diptych {

std::vector<double> token_weights(std::span<const int64_t> lengths, TokenAggregation aggregation,
                                  const TextDenominators& denominators) {
  std::vector<double> weights;
  for (int64_t length : lengths) {
    double inverse = 0;
    switch (aggregation) {
      case TokenAggregation::sequence_mean:
        inverse = static_cast<double>(length) * static_cast<double>(denominators.sequences);
        break;
      case TokenAggregation::token_mean:
        inverse = static_cast<double>(denominators.tokens);
        break;
      case TokenAggregation::sequence_normalised:
        inverse = denominators.horizon * static_cast<double>(denominators.sequences);
        break;
    }
    TORCH_CHECK(length == 0 || inverse > 0, "the denominator of this aggregation is not set");
    weights.insert(weights.end(), length, 1 / inverse);
  }
  return weights;
}

PolicyLoss text_policy_loss(const Tensor& logp_new, const Tensor& logp_old, const Tensor& advantage,
                            const Tensor& weight, const ClipRange& clip) {
  return clipped_policy_loss(logp_new - logp_old, advantage, weight, clip);
}

Tensor sequence_log_ratio(const Tensor& logp_new, const Tensor& logp_old, at::IntArrayRef lengths) {
  std::vector<Tensor> means;
  for (const Tensor& tokens : (logp_new - logp_old).split_with_sizes(lengths))
    means.push_back(tokens.sum() / std::max<int64_t>(tokens.numel(), 1));
  return at::stack(means);
}

PolicyLoss sequence_policy_loss(const Tensor& logp_new, const Tensor& logp_old, at::IntArrayRef lengths,
                                const Tensor& advantage, const Tensor& weight, const ClipRange& clip) {
  return clipped_policy_loss(sequence_log_ratio(logp_new, logp_old, lengths), advantage, weight, clip);
}

Tensor k3_divergence(const Tensor& logp_new, const Tensor& logp_ref) {
  const Tensor difference = logp_ref - logp_new;
  return at::expm1(difference) - difference;
}

}  // namespace diptych
