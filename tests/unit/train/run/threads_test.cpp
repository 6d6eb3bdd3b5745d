#include "diptych/train/run/threads.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

namespace diptych {
namespace {

RankProcessors rank_on(const std::string& machine, const std::vector<int>& allowed,
                       const std::optional<CpuQuota>& quota = std::nullopt) {
  return {machine, {allowed, quota}};
}

const std::vector<int> kEight = {0, 1, 2, 3, 4, 5, 6, 7};

TEST(Threads, RanksOfAMachineShareItsProcessors) {
  const RankProcessors here = rank_on("a", kEight), there = rank_on("b", kEight);
  EXPECT_EQ(fair_threads({here}, 0), 8);
  EXPECT_EQ(fair_threads({here, here}, 1), 4);
  EXPECT_EQ(fair_threads({here, here, here}, 0), 2);
  EXPECT_EQ(fair_threads({here, there, here}, 1), 8);
  EXPECT_EQ(fair_threads(std::vector<RankProcessors>(20, here), 7), 1);
}

TEST(Threads, ProcessorsOfOnesOwnAreNotShared) {  // as srun binds its tasks
  const RankProcessors low = rank_on("a", {0, 1, 2, 3}), high = rank_on("a", {4, 5, 6, 7}), both = rank_on("a", kEight);
  EXPECT_EQ(fair_threads({low, high}, 0), 4);
  EXPECT_EQ(fair_threads({low, low, high}, 0), 2);
  EXPECT_EQ(fair_threads({low, low, high}, 2), 4);
  EXPECT_EQ(fair_threads({low, both}, 1), 6);
}

TEST(Threads, AQuotaIsSharedByThoseUnderIt) {
  const RankProcessors one = rank_on("a", kEight, CpuQuota{4, "1:1"}), two = rank_on("a", kEight, CpuQuota{2.5, "1:2"});
  EXPECT_EQ(fair_threads({one}, 0), 4);
  EXPECT_EQ(fair_threads({one, one}, 0), 2);
  EXPECT_EQ(fair_threads({one, two}, 0), 4);  // each in a container of its own
  EXPECT_EQ(fair_threads({one, two}, 1), 2);
  EXPECT_EQ(fair_threads({one, rank_on("b", kEight, CpuQuota{4, "1:1"})}, 0), 4);
}

TEST(Threads, ANumberThatIsAskedForCounts) {
  const int before = at::get_num_threads();
  use_threads(3);
  EXPECT_EQ(at::get_num_threads(), 3);
  use_threads(0);
  EXPECT_EQ(at::get_num_threads(), processor_count(usable_processors()));
  use_threads(2, single_process());
  EXPECT_EQ(at::get_num_threads(), 2);
  use_threads(0, single_process());
  EXPECT_EQ(at::get_num_threads(), processor_count(usable_processors()));
  at::set_num_threads(before);
}

}  // namespace
}  // namespace diptych
