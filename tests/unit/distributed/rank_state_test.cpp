#include "diptych/distributed/rank_state.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

using std::chrono::milliseconds;

RankState state(int64_t beat, int64_t number, const std::string& what = "barrier `x y`") {
  return {.beat = beat, .number = number, .what = what};
}

TEST(RankState, SurvivesTheStore) {
  const RankState before{.beat = 7, .number = 12, .waiting = true, .left = true, .what = "barrier `two words`"};
  const RankState after = parse_rank_state(to_text(before));
  EXPECT_EQ(after.beat, 7);
  EXPECT_EQ(after.number, 12);
  EXPECT_TRUE(after.waiting);
  EXPECT_TRUE(after.left);
  EXPECT_EQ(after.what, before.what);
  EXPECT_EQ(parse_rank_state(to_text({})).what, "");
}

TEST(RankState, ASilentRankIsTheCulpritEvenIfAnotherIsLate) {
  const std::vector<RankState> before = {state(1, 5), state(1, 5), state(1, 4)};
  const std::vector<RankState> now = {state(2, 5), state(1, 5), state(2, 4)};
  EXPECT_FALSE(all_heard_of(before, now));
  EXPECT_EQ(find_missing(before, now, 5, milliseconds(2500)),
            "rank 1 was silent for 2.5 s: killed, stopped or cut off; last heard of after collective #5 barrier `x y`");
}

TEST(RankState, ARankThatRunsButIsLate) {
  const std::vector<RankState> before = {state(1, 5), state(1, 4), state(1, 0, "")};
  const std::vector<RankState> now = {state(2, 5), state(2, 4), state(2, 0, "")};
  EXPECT_TRUE(all_heard_of(before, now));
  EXPECT_EQ(
      find_missing(before, now, 5, milliseconds(100)),
      "rank 1 runs but has not come; it is after collective #4 barrier `x y`. rank 2 runs but has not come; it is "
      "before its first collective");
}

TEST(RankState, ARankThatHasLeftNeedsNoSignOfLife) {
  std::vector<RankState> states = {state(1, 5), state(1, 4)};
  states[1].left = true;
  states[1].waiting = true;
  const std::vector<RankState> now = {state(2, 5), states[1]};
  EXPECT_TRUE(all_heard_of(states, now));
  EXPECT_EQ(find_missing(states, now, 5, milliseconds(100)), "rank 1 has ended in collective #4 barrier `x y`");
}

TEST(RankState, OnlyLooksInARowWithoutASignOfLifeCount) {
  SilentLooks looks;
  EXPECT_EQ(looks.count(state(7, 5)), 0);  // the first shows nothing
  EXPECT_EQ(looks.count(state(7, 5)), 1);
  EXPECT_EQ(looks.count(state(7, 5)), 2);
  EXPECT_EQ(looks.count(state(8, 5)), 0);
  EXPECT_EQ(looks.count(state(9, 5)), 0);
  EXPECT_EQ(looks.count(state(9, 6)), 1);  // a beat is the sign
}

TEST(RankState, ARankThatNeverSpokeIsSilent) {
  SilentLooks looks;
  EXPECT_EQ(looks.count({}), 0);
  EXPECT_EQ(looks.count({}), 1);
  EXPECT_EQ(looks.count(state(1, 0)), 0);
}

TEST(RankState, NobodyIsMissing) {
  EXPECT_EQ(find_missing({state(1, 5), state(1, 5)}, {state(2, 5), state(2, 5)}, 5, milliseconds(100)), "");
}

}  // namespace
}  // namespace diptych
