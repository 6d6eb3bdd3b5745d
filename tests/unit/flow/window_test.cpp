#include "diptych/flow/window.h"

#include <gtest/gtest.h>

#include <map>

#include "diptych/base/error.h"

namespace diptych {
namespace {

TEST(Window, EveryStartOccursAboutEquallyOften) {
  std::map<int64_t, int> counts;
  for (uint64_t step = 0; step < 3000; ++step) ++counts[window_start(7, step, 1, 6, 3)];
  ASSERT_EQ(counts.size(), 3u);
  for (const auto& [start, count] : counts) {
    EXPECT_TRUE(start >= 1 && start <= 3) << start;
    EXPECT_NEAR(count, 1000, 150);
  }
}

TEST(Window, DependsOnSeedAndStepOnly) {
  bool seed_matters = false;
  for (uint64_t step = 0; step < 50; ++step) {
    EXPECT_EQ(window_start(7, step, 0, 5, 3), window_start(7, step, 0, 5, 3));
    seed_matters = seed_matters || window_start(7, step, 0, 5, 3) != window_start(8, step, 0, 5, 3);
  }
  EXPECT_TRUE(seed_matters);
}

TEST(Window, AWindowAsLongAsItsRangeStartsAtItsBeginning) {
  EXPECT_EQ(window_start(7, 3, 2, 5, 3), 2);
}

TEST(Window, RejectsWindowsThatDoNotFit) {
  EXPECT_THROW(window_start(7, 0, 0, 2, 3), Error);
  EXPECT_THROW(window_start(7, 0, 0, 5, 0), Error);
  EXPECT_THROW(window_start(7, 0, -1, 5, 3), Error);
}

}  // namespace
}  // namespace diptych
