#pragma once
// Inputs made of a corpus, each by its number.

#include <cstdint>
#include <filesystem>
#include <vector>

#include "fuzz/target.h"

namespace diptych::fuzz {

Bytes read_bytes(const std::filesystem::path& file);

/** The files of a folder in order of their names. */
std::vector<Bytes> read_corpus(const std::filesystem::path& folder);

/** Input `index` of a target: first the corpus as it is, then its entries with 1 to 16 edits each. A pure function, so
 *  seed and index name an input. */
Bytes make_input(const Target& target, const std::vector<Bytes>& corpus, uint64_t seed, uint64_t index);

}  // namespace diptych::fuzz
