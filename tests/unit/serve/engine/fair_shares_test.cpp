#include "diptych/serve/engine/fair_shares.h"

#include <gtest/gtest.h>

#include <numeric>

namespace diptych {
namespace {

using std::chrono::milliseconds;

TEST(DealTest, SharesAreEqualAndWhatIsLeftGoesToTheLarge) {
  EXPECT_EQ(deal({3, 3, 3}, 9), (std::vector<int64_t>{3, 3, 3}));
  EXPECT_EQ(deal({100, 2, 100}, 12), (std::vector<int64_t>{5, 2, 5}));
  EXPECT_EQ(deal({1000, 1, 7}, 100), (std::vector<int64_t>{92, 1, 7}));
  EXPECT_EQ(deal({5}, 100), std::vector<int64_t>{5});
  EXPECT_TRUE(deal({}, 100).empty());
}

TEST(DealTest, EveryoneGetsSomething) {
  EXPECT_EQ(deal({4, 5, 6}, 1), (std::vector<int64_t>{1, 1, 1}));
  EXPECT_EQ(deal({4, 5, 6}, 0), (std::vector<int64_t>{1, 1, 1}));
}

/** How often each activity came up in 600 ms of passes of such lengths. */
std::vector<int> turns(const std::vector<milliseconds>& lengths) {
  TimeShares shares(lengths.size());
  std::vector<int> turns(lengths.size());
  for (milliseconds time{0}; time < milliseconds(600);) {
    const size_t next = shares.next(std::vector<bool>(lengths.size(), true));
    shares.charge(next, lengths[next]);
    time += lengths[next];
    ++turns[next];
  }
  return turns;
}

TEST(TimeSharesTest, EachHasAsMuchTimeAsTheOthers) {
  EXPECT_EQ(turns({milliseconds(1), milliseconds(10), milliseconds(100)}), (std::vector<int>{200, 20, 2}));
  EXPECT_EQ(turns({milliseconds(300), milliseconds(1)}), (std::vector<int>{1, 300}));
}

TEST(TimeSharesTest, WaitingEarnsNothing) {
  TimeShares shares(2);
  for (int i = 0; i < 100; ++i) {
    ASSERT_EQ(shares.next({true, false}), 0U);
    shares.charge(0, milliseconds(10));
  }
  // The newcomer goes first or second, and does not catch up on a second's time.
  int newcomer = 0;
  for (int i = 0; i < 10; ++i) {
    const size_t next = shares.next({true, true});
    shares.charge(next, milliseconds(10));
    newcomer += next == 1 ? 1 : 0;
  }
  EXPECT_EQ(newcomer, 5);
}

TEST(TimeSharesTest, WhatOneHadWhileAloneIsForgotten) {
  TimeShares shares(2);
  for (int i = 0; i < 100; ++i) shares.charge(shares.next({true, false}), milliseconds(10));
  for (int i = 0; i < 5; ++i) shares.charge(shares.next({false, true}), milliseconds(10));
  int first = 0;
  for (int i = 0; i < 10; ++i) {
    const size_t next = shares.next({true, true});
    shares.charge(next, milliseconds(10));
    first += next == 0 ? 1 : 0;
  }
  EXPECT_GE(first, 5);
  EXPECT_LE(first, 8);
}

TEST(TimeSharesTest, ComingAndGoingEarnsNothingEither) {
  TimeShares shares(2);
  int long_ones = 0;
  for (int i = 0; i < 100; ++i) {
    // The long one has work every second time.
    const size_t next = shares.next({i % 2 == 0, true});
    shares.charge(next, milliseconds(next == 0 ? 20 : 1));
    long_ones += next == 0 ? 1 : 0;
  }
  EXPECT_LE(long_ones, 6);
}

}  // namespace
}  // namespace diptych
