// A store that the launcher holds, as torchrun does: it outlives the ranks, and what they leave behind in it.

#include <gtest/gtest.h>

#include "diptych/base/text_format.h"
#include "diptych/distributed/transport.h"
#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

using std::chrono::seconds;

std::string hold_store(const ProcessPlace& place) {
  const KeyStore store(place, seconds(60));
  ::pause();
  return "";
}

/** What a rank of torchrun does, with a deadline. */
auto member(seconds deadline) {
  return [=](ProcessPlace place) {
    place.agent_store = true;
    ProcessGroup group(place, deadline);
    return cat(group.gather_strings(cat("r", place.rank), "names").size());
  };
}

void expect_success(ForkedRanks& ranks, int world) {
  for (int rank = 0; rank < world; ++rank) {
    const RankEnd end = ranks.end_of(rank);
    EXPECT_EQ(end.status, 0) << "rank " << rank << ": " << end.output;
    EXPECT_EQ(end.output, cat(world));
  }
}

TEST(AgentStore, NoRankBindsThePort) {
  const ReservedPort port;
  ForkedRanks launcher(1, hold_store, port.number());
  ForkedRanks ranks(4, member(seconds(60)), port.number());
  expect_success(ranks, 4);
}

TEST(AgentStore, HoldsTheKeysOfEarlierTries) {
  const ReservedPort port;
  ForkedRanks launcher(1, hold_store, port.number());
  for (int count = 0; count < 2; ++count) {
    ForkedRanks ranks(2, member(seconds(60)), port.number());
    expect_success(ranks, 2);
  }
  // One that came to nothing: only rank 0 was there, and said so.
  {
    ForkedRanks ranks(
        2, [](const ProcessPlace& place) { return place.rank == 0 ? member(seconds(1))(place) : ""; }, port.number());
    EXPECT_NE(ranks.end_of(0).output.find("no word from rank 1"), std::string::npos);
  }
  ForkedRanks ranks(2, member(seconds(60)), port.number());
  expect_success(ranks, 2);
}

TEST(AgentStore, ALauncherThatIsGone) {
  const ReservedPort port;
  ForkedRanks launcher(1, hold_store, port.number());
  const pid_t holder = launcher.process(0);
  const auto work = [&](ProcessPlace place) {
    place.agent_store = true;
    ProcessGroup group(place, seconds(600));
    group.barrier("start");
    if (place.rank == 0) ::kill(holder, SIGKILL);
    if (place.rank == 0) ::pause();
    group.barrier("end");
    return std::string();
  };
  ForkedRanks ranks(2, work, port.number());
  const RankEnd end = ranks.end_of(1);
  EXPECT_EQ(end.status, static_cast<int>(ExitCode::peer));
  EXPECT_NE(end.output.find("got the launcher is gone"), std::string::npos) << end.output;
}

}  // namespace
}  // namespace diptych
