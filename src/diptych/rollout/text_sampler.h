#pragma once
// Batched sampling of text with addressed draws.

#include "diptych/base/rng.h"
#include "diptych/rollout/context.h"

namespace diptych {

struct TextSampling {
  double temperature = 1.0;   // 0: the most probable token
  double top_p = 1.0;         // keep the smallest set of tokens with at least this probability
  int64_t top_k = 0;          // keep the k most probable tokens; 0: all
  int64_t max_tokens = 1024;  // sampled tokens, im_end included
};

/** A sampled text. The policy's actions are `tokens`: the ids and the im_end that ended them. A text that met the cap
 * is closed by an im_end that was not sampled, is not in `tokens` and carries no loss. */
struct SampledText {
  std::vector<int64_t> tokens;
  std::vector<double> logprobs;  // of the whole vocabulary at the temperature (at 1 where it is 0), one per token
  bool truncated = false;
};

/** Ids of the sampled text as a segment: im_start, the ids, im_end. */
std::vector<int64_t> segment_ids(const SampledText& text, const SpecialTokens& special);

/** Samples one text behind each context, until im_end or the cap. Draw k of text i is the first number of the stream
 *  keys[i] moved on by k positions, so results do not depend on the batch. Contexts advance by the whole segment. */
std::vector<SampledText> sample_texts(const Bagel& model, KvCache& cache, std::vector<CachedContext>& contexts,
                                      const TextSampling& sampling, const std::vector<StreamKey>& keys);

/** Throws Error(numerics) that names `what` unless all values are finite. */
void check_finite(const Tensor& values, const char* what);

/** The token that a uniform number picks: inverse distribution function over the tokens in order of their ids, after
 *  temperature, top-k and top-p. logits [n, vocabulary] float32; uniforms [n] in [0, 1); result [n] int64. */
Tensor pick_tokens(const Tensor& logits, const TextSampling& sampling, const Tensor& uniforms);

}  // namespace diptych
