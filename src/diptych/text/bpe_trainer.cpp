#include "diptych/text/bpe_trainer.h"

#include <map>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "diptych/text/byte_alphabet.h"
#include "diptych/text/pretokenizer.h"
#include "diptych/text/unicode.h"

namespace diptych {
namespace {

using Pair = std::pair<int64_t, int64_t>;

/** A distinct piece of the corpus. */
struct Word {
  std::vector<int64_t> ids;
  int64_t count;
};

struct PairUse {
  int64_t count = 0;
  std::unordered_set<std::size_t> words;  // where it occurs; may hold words that have lost it
};

class BpeTrainer {
 public:
  explicit BpeTrainer(const std::vector<std::string>& corpus) {
    std::unordered_map<uint8_t, int64_t> byte_ids;
    for (const uint8_t byte : bytes_in_vocabulary_order()) {
      byte_ids[byte] = static_cast<int64_t>(model_.vocab.size());
      add_token(byte_characters()[byte]);
    }
    std::map<std::string, int64_t> counts;
    for (const std::string& text : corpus) {
      const std::string normalized = normalize_nfc(repair_utf8(text));
      for (const std::string_view piece : pretokenize(normalized)) ++counts[std::string(piece)];
    }
    for (const auto& [piece, count] : counts) {
      Word word{{}, count};
      for (const char c : piece) word.ids.push_back(byte_ids.at(static_cast<uint8_t>(c)));
      words_.push_back(std::move(word));
      count_pairs(words_.size() - 1, +1);
    }
  }

  /** Adds one rule; false if no pair occurs twice. */
  bool step() {
    const Pair* best = nullptr;
    int64_t best_count = 1;
    for (const auto& [pair, use] : uses_) {
      if (use.count > best_count || (best != nullptr && use.count == best_count && sorts_before(pair, *best))) {
        best = &pair;
        best_count = use.count;
      }
    }
    if (best == nullptr) return false;
    apply(*best);
    return true;
  }

  const BpeModel& model() const { return model_; }

 private:
  int64_t add_token(const std::string& spelling) {
    const auto [entry, added] = ids_.emplace(spelling, static_cast<int64_t>(model_.vocab.size()));
    if (added) model_.vocab.push_back(spelling);
    return entry->second;
  }

  const std::string& spelling(int64_t id) const { return model_.vocab[static_cast<std::size_t>(id)]; }

  bool sorts_before(const Pair& a, const Pair& b) const {
    return std::tie(spelling(a.first), spelling(a.second)) < std::tie(spelling(b.first), spelling(b.second));
  }

  /** Adds (+1) or takes away (-1) the pairs of a word. */
  void count_pairs(std::size_t index, int64_t sign) {
    const Word& word = words_[index];
    for (std::size_t i = 0; i + 1 < word.ids.size(); ++i) {
      PairUse& use = uses_[{word.ids[i], word.ids[i + 1]}];
      use.count += sign * word.count;
      if (sign > 0) use.words.insert(index);
    }
  }

  void apply(Pair pair) {
    const std::string left = spelling(pair.first);
    const std::string right = spelling(pair.second);
    const int64_t merged = add_token(left + right);
    model_.merges.emplace_back(left, right);

    const std::unordered_set<std::size_t> affected = uses_.at(pair).words;
    for (const std::size_t index : affected) {
      count_pairs(index, -1);
      merge_in(&words_[index].ids, pair, merged);
      count_pairs(index, +1);
    }
    uses_.erase(pair);
  }

  static void merge_in(std::vector<int64_t>* ids, const Pair& pair, int64_t merged) {
    std::vector<int64_t> shorter;
    for (std::size_t i = 0; i < ids->size(); ++i) {
      const bool is_pair = i + 1 < ids->size() && Pair((*ids)[i], (*ids)[i + 1]) == pair;
      shorter.push_back(is_pair ? merged : (*ids)[i]);
      if (is_pair) ++i;
    }
    *ids = std::move(shorter);
  }

  BpeModel model_;
  std::unordered_map<std::string, int64_t> ids_;
  std::vector<Word> words_;
  std::map<Pair, PairUse> uses_;
};

}  // namespace

BpeModel train_bpe(const std::vector<std::string>& corpus, int64_t merges) {
  BpeTrainer trainer(corpus);
  for (int64_t i = 0; i < merges; ++i) {
    if (!trainer.step()) break;
  }
  return trainer.model();
}

}  // namespace diptych
