// What the other ranks say when one of them is gone, hangs or does something else.

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#include <thread>

#include "diptych/base/text_format.h"
#include "diptych/distributed/process_group.h"
#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

using std::chrono::seconds;

constexpr int kPeer = static_cast<int>(ExitCode::peer);

/** `work` in `world` processes with a deadline, after a first collective that succeeds. */
ForkedRanks start_ranks(int world, seconds deadline, const std::function<void(ProcessGroup&)>& work) {
  return {world, [=](const ProcessPlace& place) {
            ProcessGroup group(place, deadline);
            group.barrier("start");
            work(group);
            return std::string();
          }};
}

void sum(ProcessGroup& group) {
  group.all_reduce_sum(at::ones({1000}), "gradients");
}

void expect_text(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts)
    EXPECT_NE(text.find(part), std::string::npos) << part << " missing in: " << text;
}

/** Each of these ranks ended because of a peer, with a message that contains all the parts. */
void expect_blame(ForkedRanks& ranks, const std::vector<int>& survivors, const std::vector<std::string>& parts) {
  for (int rank : survivors) {
    const RankEnd end = ranks.end_of(rank);
    EXPECT_EQ(end.status, kPeer) << "rank " << rank << ": " << end.output;
    expect_text(end.output, parts);
    expect_text(end.output, {cat("rank ", rank, " of ")});
  }
}

TEST(ProcessGroupFaults, AStoppedRankIsNamedAfterTheDeadline) {
  ForkedRanks ranks = start_ranks(4, seconds(5), [](ProcessGroup& group) {
    if (group.rank() == 2) ::raise(SIGSTOP);
    sum(group);
  });
  expect_blame(ranks, {0, 1, 3},
               {"collective #2 all_reduce_sum `gradients` of Float [1000]", "all ranks within 5 s",
                "got rank 2 was silent", "killed, stopped or cut off; last heard of"});
}

TEST(ProcessGroupFaults, AStoppedRankThatHoldsTheStore) {
  ForkedRanks ranks = start_ranks(2, seconds(5), [](ProcessGroup& group) {
    if (group.rank() == 0) ::raise(SIGSTOP);
    sum(group);
  });
  expect_blame(ranks, {1}, {"#2 all_reduce_sum `gradients`", "got rank 0 does not answer"});
}

TEST(ProcessGroupFaults, AKilledRankIsNamedLongBeforeTheDeadline) {
  ForkedRanks ranks = start_ranks(4, seconds(600), [](ProcessGroup& group) {
    if (group.rank() == 2) ::raise(SIGKILL);
    sum(group);
  });
  expect_blame(ranks, {0, 1, 3}, {"#2 all_reduce_sum `gradients`", "got rank 2 was silent"});
  EXPECT_EQ(ranks.end_of(2).status, 128 + SIGKILL);
}

TEST(ProcessGroupFaults, AKilledRankThatHeldTheStore) {
  ForkedRanks ranks = start_ranks(4, seconds(600), [](ProcessGroup& group) {
    if (group.rank() == 0) ::raise(SIGKILL);
    sum(group);
  });
  expect_blame(ranks, {1, 2, 3}, {"#2 all_reduce_sum `gradients`", "got rank 0 is gone"});
}

TEST(ProcessGroupFaults, ARankThatRunsButDoesNotCome) {
  ForkedRanks ranks = start_ranks(4, seconds(5), [](ProcessGroup& group) {
    if (group.rank() == 3) std::this_thread::sleep_for(seconds(60));
    sum(group);
  });
  expect_blame(ranks, {0, 1, 2}, {"got rank 3 runs but has not come"});
}

TEST(ProcessGroupFaults, ARankThatLeftWithoutAWord) {
  ForkedRanks ranks = start_ranks(4, seconds(600), [](ProcessGroup& group) {
    if (group.rank() == 1) throw Error(ExitCode::data, {"prompts", "a prompt", "none", ""});
    sum(group);
  });
  expect_blame(ranks, {0, 2, 3}, {"got rank 1 has ended"});
  EXPECT_EQ(ranks.end_of(1).status, static_cast<int>(ExitCode::data));
}

TEST(ProcessGroupFaults, ARankThatSaysWhyItEnds) {
  for (int culprit : {0, 2}) {
    ForkedRanks ranks = start_ranks(4, seconds(600), [&](ProcessGroup& group) {
      if (group.rank() == culprit) group.announce_failure("the disk is full");
      if (group.rank() != culprit) sum(group);
    });
    std::vector<int> survivors = {0, 1, 2, 3};
    std::erase(survivors, culprit);
    expect_blame(ranks, survivors, {cat("got rank ", culprit, " ended: the disk is full")});
  }
}

TEST(ProcessGroupFaults, ABrokenGroupStaysBroken) {
  ForkedRanks ranks = start_ranks(2, seconds(600), [](ProcessGroup& group) {
    if (group.rank() == 1) ::raise(SIGKILL);
    EXPECT_THROW(sum(group), Error);
    StartedCollective started = group.start_all_reduce_sum(at::ones({3}), "later");
    EXPECT_THROW(group.wait(started), Error);
    group.barrier("even later");
  });
  expect_blame(ranks, {0}, {"got rank 1 was silent"});
}

TEST(ProcessGroupFaults, AStartedCollectiveThatFailsTellsWhoWaitsForIt) {
  ForkedRanks ranks = start_ranks(2, seconds(600), [](ProcessGroup& group) {
    if (group.rank() == 1) ::raise(SIGKILL);
    StartedCollective started = group.start_all_reduce_sum(at::ones({3}), "gradients");
    group.wait(started);
  });
  expect_blame(ranks, {0}, {"#2 all_reduce_sum `gradients`", "got rank 1 was silent"});
}

TEST(ProcessGroupFaults, DivergedNames) {
  ForkedRanks ranks = start_ranks(4, seconds(600), [](ProcessGroup& group) {
    if (group.rank() == 2) {
      group.barrier("checkpoint");
    } else {
      sum(group);
    }
  });
  expect_blame(ranks, {0, 1, 2, 3},
               {"ranks diverged: rank 2 has barrier `checkpoint`; rank 0, 1, 3 have all_reduce_sum `gradients`"});
}

TEST(ProcessGroupFaults, DivergedShapes) {
  ForkedRanks ranks = start_ranks(2, seconds(600), [](ProcessGroup& group) {
    group.all_reduce_sum(at::ones({group.rank() == 0 ? 1000 : 8}), "gradients");
  });
  expect_blame(ranks, {0, 1}, {"ranks diverged: rank 1 has all_reduce_sum `gradients` of Float [8]", "rank 0 has"});
}

TEST(ProcessGroupFaults, ADeviatingChecksum) {
  ForkedRanks ranks = start_ranks(4, seconds(600), [](ProcessGroup& group) {
    try {
      group.check_same("weights", group.rank() == 1 ? 0xbeef : 0xcafe);
    } catch (const Error&) {
      group.barrier("the group is still whole");
      throw;
    }
  });
  expect_blame(ranks, {0, 1, 2, 3},
               {"the same weights on all ranks", "got rank 1 has checksum beef; rank 0, 2, 3 have checksum cafe"});
}

TEST(ProcessGroupFaults, ARankThatNeverMeets) {
  const auto work = [](const ProcessPlace& place) {
    if (place.rank == 2) ::raise(SIGSTOP);
    ProcessGroup group(place, seconds(3));
    return std::string();
  };
  ForkedRanks ranks(3, work);
  const RankEnd end = ranks.end_of(0);
  EXPECT_EQ(end.status, kPeer);
  expect_text(end.output, {"rank 0 of 3, meeting at 127.0.0.1", "no word from rank 2"});
  const RankEnd other = ranks.end_of(1);
  EXPECT_EQ(other.status, kPeer) << other.output;
  expect_text(other.output, {"rank 1 of 3, meeting at 127.0.0.1", "no word from rank 0"});
}

TEST(ProcessGroupFaults, ARankWithoutAStoreToMeetAt) {
  ForkedRanks ranks(2, [](const ProcessPlace& place) {
    if (place.rank == 0) ::raise(SIGSTOP);
    ProcessGroup group(place, seconds(2));
    return std::string();
  });
  expect_blame(ranks, {1}, {"rank 0 at 127.0.0.1", "no answer"});
}

TEST(ProcessGroupFaults, APortThatIsTaken) {
  const int listener = ::socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  socklen_t size = sizeof address;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&address), size), 0);
  ASSERT_EQ(::listen(listener, 1), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&address), &size), 0);
  const auto work = [](const ProcessPlace& place) {
    if (place.rank == 0) ProcessGroup group(place, seconds(3));
    return std::string();
  };
  ForkedRanks ranks(2, work, ntohs(address.sin6_port));
  const RankEnd end = ranks.end_of(0);
  EXPECT_EQ(end.status, static_cast<int>(ExitCode::io));
  expect_text(end.output, {"a free port", "MASTER_PORT"});
  ::close(listener);
}

}  // namespace
}  // namespace diptych
