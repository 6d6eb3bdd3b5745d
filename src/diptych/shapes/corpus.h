#pragma once
// Text to train the tiny tokenizer on.

#include <string>
#include <vector>

namespace diptych::shapes {

/** Every prompt of every split, and after it every trace that the supervised start can write for it, one text each; so
 *  the corpus holds all words of the world, with the space before them. Every word occurs often enough for byte-pair
 *  merges to make it one token before the vocabulary is spent on phrases (merges never cross a space). */
std::vector<std::string> tokenizer_corpus();

}  // namespace diptych::shapes
