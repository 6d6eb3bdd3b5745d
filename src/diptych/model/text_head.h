#pragma once
// Log-probabilities of tokens over a large vocabulary, without keeping the logits.

#include "diptych/model/layers.h"

namespace diptych {

/** log softmax(hidden W^T / temperature)[id], computed in chunks of rows whose logits are dropped and recomputed in the
 *  backward pass. hidden [n, D], ids [n] int64; result [n], float32 (float64 for float64 input). Gradients reach hidden
 *  and the head's weight. */
Tensor token_logprobs(const Tensor& hidden, const Linear& head, const Tensor& ids, double temperature = 1.0);

}  // namespace diptych
