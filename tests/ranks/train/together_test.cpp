#include "diptych/train/run/ranks.h"

#include <gtest/gtest.h>

#include <new>

#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

TEST(Together, AnErrorIsNotLostWhereTheOthersCannotBeTold) {
  ForkedRanks ranks(2, [](const ProcessPlace& place) {
    ProcessGroup group(place, std::chrono::seconds(600));
    group.barrier("start");
    if (group.rank() == 0) group.announce_failure("the disk is full");
    if (group.rank() == 1)
      together(group, "examples", [] { throw Error(ExitCode::data, {"prompts", "a prompt", "none", ""}); });
    return std::string();
  });
  const RankEnd end = ranks.end_of(1);
  EXPECT_EQ(end.status, static_cast<int>(ExitCode::data)) << end.output;
  EXPECT_NE(end.output.find("expected a prompt"), std::string::npos) << end.output;
}

/** Otherwise the others would wait for a rank that is on its way out. */
TEST(Together, OtherExceptionsEndAllAsErrorsDo) {
  ForkedRanks ranks(2, [](const ProcessPlace& place) {
    ProcessGroup group(place, std::chrono::seconds(600));
    together(group, "sampling", [&] {
      if (group.rank() == 0) throw std::bad_alloc();
    });
    return std::string();
  });
  for (int rank = 0; rank < 2; ++rank) {
    const RankEnd end = ranks.end_of(rank);
    EXPECT_EQ(end.status, static_cast<int>(ExitCode::memory)) << end.output;
    EXPECT_NE(end.output.find("memory is too small"), std::string::npos) << end.output;
  }
}

}  // namespace
}  // namespace diptych
