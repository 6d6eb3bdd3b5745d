#pragma once
// Policy losses of sampled text. Tokens of all sequences are packed into one axis, [tokens], without padding.

#include "diptych/tensor/torch.h"

#include <span>

#include "diptych/algorithm/policy_loss.h"

namespace diptych {

/** How token losses become one number. */
enum class TokenAggregation {
  sequence_mean,        // mean over the tokens of a sequence, then over sequences: GRPO, UniGRPO
  token_mean,           // mean over all tokens: DAPO
  sequence_normalised,  // sum over tokens divided by a fixed horizon, then mean over sequences: Dr.GRPO
};

/** Denominators of the whole batch, over all micro-batches and ranks. */
struct TextDenominators {
  int64_t sequences = 0;  // for sequence_mean and sequence_normalised
  int64_t tokens = 0;     // for token_mean
  double horizon = 0;     // for sequence_normalised; 1 gives the plain sum over tokens
};

/** The weight of every token of sequences with the given lengths, packed: 1 / (|y_i| sequences), 1 / tokens, or
 *  1 / (horizon sequences). An empty sequence has no token; it dilutes the loss only if the caller counts it. */
std::vector<double> token_weights(std::span<const int64_t> lengths, TokenAggregation aggregation,
                                  const TextDenominators& denominators);

/** Token-level clipped loss: sum_k weight_k max(-A_k r_k, -A_k clip(r_k)), r_k = exp(logp_new - logp_old).
 *  All [tokens] of one float dtype; logp_old, advantage and weight carry no gradient. (UniGRPO Eq. 1-2.) */
PolicyLoss text_policy_loss(const Tensor& logp_new, const Tensor& logp_old, const Tensor& advantage,
                            const Tensor& weight, const ClipRange& clip);

/** Log ratio of whole sequences, averaged over their tokens: logp [tokens] -> [sequences], 0 for an empty one. (GSPO.)
 */
Tensor sequence_log_ratio(const Tensor& logp_new, const Tensor& logp_old, at::IntArrayRef lengths);

/** GSPO: sum_i weight_i max(-A_i s_i, -A_i clip(s_i)) with the sequence ratio s_i. logp: [tokens]; advantage, weight:
 *  [sequences], element by element. */
PolicyLoss sequence_policy_loss(const Tensor& logp_new, const Tensor& logp_old, at::IntArrayRef lengths,
                                const Tensor& advantage, const Tensor& weight, const ClipRange& clip);

/** The k3 estimator of KL(new || reference) per token: exp(d) - d - 1, d = logp_ref - logp_new. Its loss is the sum of
 *  it times token weights. (DeepSeekMath.) */
Tensor k3_divergence(const Tensor& logp_new, const Tensor& logp_ref);

}  // namespace diptych
