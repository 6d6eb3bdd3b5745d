#pragma once
// Text to train the tiny tokenizer on.

#include <string>
#include <vector>

namespace diptych::shapes {

/** Every prompt of every split, each followed by all traces that the supervised start can write for it and by their
 *  captions alone. About 380 byte-pair merges learnt on it, on Qwen's pre-tokens, make every word with the space before
 *  it one token; the rarest word occurs 24 times. */
std::vector<std::string> tokenizer_corpus();

}  // namespace diptych::shapes
