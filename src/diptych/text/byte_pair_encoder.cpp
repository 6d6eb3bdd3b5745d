#include "diptych/text/byte_pair_encoder.h"

#include <cstddef>
#include <functional>
#include <queue>
#include <tuple>

namespace diptych {
namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/** A token of the piece, linked to its neighbours. The right part of a merge stays in the list with id -1. */
struct Symbol {
  int64_t id;
  std::size_t previous;
  std::size_t next;
};

/** A pair that could be merged when it was noted; stale once one of its symbols has changed. */
struct Candidate {
  int64_t rank;
  std::size_t left;
  int64_t left_id;
  int64_t right_id;
  int64_t merged;

  bool operator>(const Candidate& other) const { return std::tie(rank, left) > std::tie(other.rank, other.left); }
};

uint64_t key(int64_t left, int64_t right) {
  return static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right);
}

}  // namespace

BytePairEncoder::BytePairEncoder(const std::array<int64_t, 256>& byte_ids, const std::vector<MergeRule>& rules)
    : byte_ids_(byte_ids) {
  merges_.reserve(rules.size());
  int64_t rank = 0;
  for (const MergeRule& rule : rules) merges_[key(rule.left, rule.right)] = {rank++, rule.merged};
}

const BytePairEncoder::Merge* BytePairEncoder::find(int64_t left, int64_t right) const {
  const auto found = merges_.find(key(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

void BytePairEncoder::encode(std::string_view piece, std::vector<int64_t>* ids) const {
  std::vector<Symbol> symbols(piece.size());
  for (std::size_t i = 0; i < symbols.size(); ++i) {
    const std::size_t next = i + 1 < symbols.size() ? i + 1 : kNone;
    symbols[i] = {byte_ids_[static_cast<uint8_t>(piece[i])], i > 0 ? i - 1 : kNone, next};
  }

  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto note = [&](std::size_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const int64_t left_id = symbols[left].id;
    const int64_t right_id = symbols[symbols[left].next].id;
    if (const Merge* merge = find(left_id, right_id)) {
      candidates.push({merge->rank, left, left_id, right_id, merge->merged});
    }
  };
  for (std::size_t i = 0; i < symbols.size(); ++i) note(i);

  while (!candidates.empty()) {
    const Candidate candidate = candidates.top();
    candidates.pop();
    Symbol& left = symbols[candidate.left];
    if (left.id != candidate.left_id || left.next == kNone || symbols[left.next].id != candidate.right_id) continue;
    Symbol& right = symbols[left.next];
    left.id = candidate.merged;
    left.next = right.next;
    right.id = -1;
    if (left.next != kNone) symbols[left.next].previous = candidate.left;
    note(left.previous);
    note(candidate.left);
  }

  for (std::size_t i = symbols.empty() ? kNone : 0; i != kNone; i = symbols[i].next) ids->push_back(symbols[i].id);
}

}  // namespace diptych
