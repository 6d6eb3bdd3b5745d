#pragma once
// What a rank tells the others of itself, and what follows from it when a collective does not come about.

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

namespace diptych {

struct RankState {
  int64_t beat = 0;      // grows for as long as its process runs
  int64_t number = 0;    // of the last collective that it came to; 0: none yet
  bool waiting = false;  // still in that collective
  bool left = false;     // has left the group
  std::string what;      // name of that collective
};

/** A state as the text that stands in the store, and back. */
std::string to_text(const RankState& state);
RankState parse_rank_state(const std::string& text);

/** Counts how many looks at a rank in a row have shown no sign of life. Looks, not time: while the machine sleeps or
 *  the store does not answer there are none. */
class SilentLooks {
 public:
  /** The number, with this look. */
  int count(const RankState& state);

 private:
  int64_t beat_ = -1;  // at the last look
  int count_ = 0;
};

/** Whether every rank has shown between two looks at all of them that it runs, or that it has left. */
bool all_heard_of(const std::vector<RankState>& before, const std::vector<RankState>& now);

/** Which ranks hold up collective `number`, in words: those that were silent for the time `between` two looks and those
 *  that have left; only without any of these, those that run but have not come. Empty if it is nobody. */
std::string find_missing(const std::vector<RankState>& before, const std::vector<RankState>& now, int64_t number,
                         std::chrono::milliseconds between);

}  // namespace diptych
