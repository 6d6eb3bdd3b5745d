#include "diptych/distributed/rank_state.h"

#include <sstream>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::string last_word(const RankState& state) {
  if (state.number == 0) return "before its first collective";
  return cat(state.waiting ? "in" : "after", " collective #", state.number, " ", state.what);
}

}  // namespace

std::string to_text(const RankState& state) {
  return cat(state.beat, " ", state.number, " ", state.waiting, " ", state.left, " ", state.what);
}

RankState parse_rank_state(const std::string& text) {
  RankState state;
  std::istringstream in(text);
  in >> state.beat >> state.number >> state.waiting >> state.left;
  in.get();  // the space in front of the name
  std::getline(in, state.what);
  return state;
}

int SilentLooks::count(const RankState& state) {
  count_ = state.beat == beat_ ? count_ + 1 : 0;
  beat_ = state.beat;
  return count_;
}

bool all_heard_of(const std::vector<RankState>& before, const std::vector<RankState>& now) {
  for (size_t rank = 0; rank < now.size(); ++rank)
    if (!now[rank].left && now[rank].beat == before[rank].beat) return false;
  return true;
}

std::string find_missing(const std::vector<RankState>& before, const std::vector<RankState>& now, int64_t number,
                         std::chrono::milliseconds between) {
  std::vector<std::string> gone;
  std::vector<std::string> late;
  for (size_t rank = 0; rank < now.size(); ++rank) {
    const RankState& state = now[rank];
    if (state.left) {
      gone.push_back(cat("rank ", rank, " has ended ", last_word(state)));
    } else if (state.beat == before[rank].beat) {
      gone.push_back(cat("rank ", rank, " was silent for ", fixed(static_cast<double>(between.count()) / 1000, 1),
                         " s: killed, stopped or cut off; last heard of ", last_word(state)));
    } else if (state.number < number) {
      late.push_back(cat("rank ", rank, " runs but has not come; it is ", last_word(state)));
    }
  }
  return join(gone.empty() ? late : gone, ". ");
}

}  // namespace diptych
