#include "diptych/distributed/machine.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(Machine, HasOneNumber) {
  EXPECT_FALSE(this_machine().empty());
  EXPECT_EQ(this_machine(), this_machine());
  EXPECT_FALSE(host_name().empty());
}

TEST(Machine, GpusOfTheirOwn) {
  EXPECT_EQ(find_shared_gpus({}), "");
  EXPECT_EQ(find_shared_gpus({"aa cuda:0 of n1", "bb cuda:1 of n1", "cc cuda:0 of n2"}), "");
}

TEST(Machine, GpusOfSeveralRanks) {
  EXPECT_EQ(
      find_shared_gpus({"bb cuda:1 of n1", "aa cuda:0 of n1", "bb cuda:1 of n1", "cc cuda:0 of n2", "bb cuda:0 of n1",
                        "cc cuda:0 of n2"}),
      "rank 0 (cuda:1 of n1), rank 2 (cuda:1 of n1), rank 4 (cuda:0 of n1) have the same one; rank 3 (cuda:0 of n2), "
      "rank 5 (cuda:0 of n2) have the same one");
}

TEST(Machine, GpusThatSeveralRanksMayHave) {
  EXPECT_EQ(find_shared_gpus({" cuda:0 of n1", " cuda:0 of n1"}), "");
}

}  // namespace
}  // namespace diptych
