// How a rank that no longer writes is found where no connection breaks: nothing here but the store.

#include "diptych/distributed/roll_call.h"

#include <gtest/gtest.h>

#include <thread>

#include "diptych/base/text_format.h"
#include "diptych/distributed/rank_state.h"
#include "unit/distributed/forked_ranks.h"

namespace diptych {
namespace {

using std::chrono::milliseconds;

constexpr const char* kPrefix = "test/";

/** A store in this process, and a world of three whose states are written by hand where there is no roll call. */
struct ThreeRanks {
  ProcessPlace place;
  KeyStore store;

  explicit ThreeRanks(ProcessPlace first)
      : place([&] {
          first.world = 3;
          return first;
        }()),
        store(place, std::chrono::seconds(60)) {}

  std::unique_ptr<RollCall> roll_call(int rank, milliseconds beat, milliseconds silence) {
    ProcessPlace its = place;
    its.rank = rank;
    return std::make_unique<RollCall>(store.connect_again(), kPrefix, its, beat, silence);
  }
  void write(int rank, const RankState& state) { store.set(cat(kPrefix, "state/", rank), to_text(state)); }
  RankState read(int rank) { return parse_rank_state(store.get(cat(kPrefix, "state/", rank))); }
};

std::string wait_for_verdict(const RollCall& roll_call) {
  while (!roll_call.verdict()) std::this_thread::sleep_for(milliseconds(1));
  return *roll_call.verdict();
}

/** Runs in a process of its own, since a store starts threads. */
std::string outcome(const std::function<std::string(ThreeRanks&)>& work) {
  ForkedRanks ranks(1, [&](const ProcessPlace& place) {
    ThreeRanks world(place);
    return work(world);
  });
  const RankEnd end = ranks.end_of(0);
  EXPECT_EQ(end.status, 0) << end.output;
  return end.output;
}

TEST(RollCall, ARankThatNoLongerWritesIsNamedToAll) {
  const std::string verdict = outcome([](ThreeRanks& world) {
    world.write(2, {.beat = 7, .number = 3, .waiting = true, .what = "barrier `end`"});
    // Two that live, over a hundred looks, so that a busy machine does not make one of them silent.
    const auto first = world.roll_call(0, milliseconds(10), milliseconds(1000));
    const auto second = world.roll_call(1, milliseconds(10), milliseconds(1000));
    return wait_for_verdict(*first);
  });
  EXPECT_EQ(verdict.find("rank 2 was silent for "), 0) << verdict;
  EXPECT_NE(verdict.find(" s: killed, stopped or cut off; last heard of in collective #3 barrier `end`"),
            std::string::npos)
      << verdict;
  EXPECT_EQ(verdict.find("rank 1"), std::string::npos) << verdict;
}

TEST(RollCall, WhoHasLeftIsPassedOver) {
  const std::string verdict = outcome([](ThreeRanks& world) {
    world.write(1, {.beat = 5, .number = 3, .left = true, .what = "barrier `end`"});
    world.write(2, {.beat = 7, .number = 3, .what = "barrier `end`"});
    return wait_for_verdict(*world.roll_call(0, milliseconds(2), milliseconds(10)));
  });
  EXPECT_NE(verdict.find("rank 2 was silent for "), std::string::npos) << verdict;
}

TEST(RollCall, TheLastOneWatchesNobody) {
  const std::string verdict = outcome([](ThreeRanks& world) {
    for (int rank : {1, 2}) world.write(rank, {.beat = 5, .left = true, .what = ""});
    const auto roll_call = world.roll_call(0, milliseconds(1), milliseconds(5));
    while (world.read(0).beat < 30) std::this_thread::sleep_for(milliseconds(1));
    return roll_call->verdict().value_or("none");
  });
  EXPECT_EQ(verdict, "none");
}

TEST(RollCall, AStoreWithoutAStateOfARankThatNeverSpoke) {
  const std::string verdict = outcome(
      [](ThreeRanks& world) { return wait_for_verdict(*world.roll_call(0, milliseconds(2), milliseconds(10))); });
  EXPECT_NE(verdict.find("rank 1 was silent for "), std::string::npos) << verdict;
  EXPECT_NE(verdict.find("last heard of before its first collective"), std::string::npos) << verdict;
}

}  // namespace
}  // namespace diptych
