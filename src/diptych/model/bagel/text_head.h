#pragma once
// Log-probabilities of tokens over a large vocabulary, without keeping the logits.

#include "diptych/model/layers/layers.h"

namespace diptych {

/** Rows whose logits token_logprobs holds at once. */
int64_t logits_chunk_rows(int64_t vocabulary);

/** log softmax(hidden W^T / temperature)[id], computed in chunks of rows whose logits are dropped and recomputed in the
 *  backward pass. hidden [n, D], ids [n] int64; result [n], float32 (float64 for float64 input). Gradients reach hidden
 *  and the head's weight. */
Tensor token_logprobs(const Tensor& hidden, const Linear& head, const Tensor& ids, double temperature = 1.0);

}  // namespace diptych
