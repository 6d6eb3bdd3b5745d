#pragma once
// Who goes next, and who gets how much of it: what keeps one request from holding up all others.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace diptych {

/** Deals the time of one worker to activities: the one that has had least of it goes next. */
class TimeShares {
 public:
  explicit TimeShares(size_t activities) : had_(activities), busy_(activities) {}

  /** The next of the activities with work, of which there is at least one; the first of equals. One that had no work
   *  before starts at least level with the others: waiting earns nothing. */
  size_t next(const std::vector<bool>& has_work);

  void charge(size_t activity, std::chrono::nanoseconds time) { had_[activity] += time; }

 private:
  std::vector<std::chrono::nanoseconds> had_;
  std::vector<bool> busy_;             // at the last call of next()
  std::chrono::nanoseconds level_{0};  // the least that one with work had; never falls, also while nobody works
};

/** Deals a budget: equal shares, and what the small wishes leave goes to the large ones. Each wish, of at least 1, gets
 *  at least 1, though the budget may be smaller. */
std::vector<int64_t> deal(const std::vector<int64_t>& wishes, int64_t budget);

}  // namespace diptych
