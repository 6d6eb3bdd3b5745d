#pragma once
// Byte-pair merges of one piece of text.

#include <array>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace diptych {

/** One rule, as token ids: `left` followed by `right` becomes `merged`. */
struct MergeRule {
  int64_t left;
  int64_t right;
  int64_t merged;
};

class BytePairEncoder {
 public:
  BytePairEncoder() = default;

  /** `byte_ids`: the token of each single byte. `rules`: in order of rank; of a repeated pair the last rule counts, as
   *  in the official tokenizer. Ids are in [0, 2^32). */
  BytePairEncoder(const std::array<int64_t, 256>& byte_ids, const std::vector<MergeRule>& rules);

  /** Appends the tokens of one piece: of all adjacent pairs the one of lowest rank is merged first, leftmost first.
   *  O(n log n) for n bytes, so that a piece of megabytes is harmless. */
  void encode(std::string_view piece, std::vector<int64_t>* ids) const;

 private:
  struct Merge {
    int64_t rank;
    int64_t merged;
  };

  const Merge* find(int64_t left, int64_t right) const;

  std::array<int64_t, 256> byte_ids_{};
  std::unordered_map<uint64_t, Merge> merges_;
};

}  // namespace diptych
