#pragma once
// Text to train the tiny tokenizer on.

#include <string>
#include <vector>

namespace diptych::shapes {

/** Every text that the supervised start can show or write, or at least each of its words in each of its places: every
 *  prompt of every split with all its thinking traces, its atomic questions, its reflection and review instructions;
 *  every wording of every edit; the answers "yes" and "no"; and some thousand reflections. No text twice, but for
 *  those of rare words. Less than 520 byte-pair merges learnt on it, on Qwen's pre-tokens, make every word one token.
 */
std::vector<std::string> tokenizer_corpus();

}  // namespace diptych::shapes
