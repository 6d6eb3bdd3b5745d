#include "diptych/distributed/waiting.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "support/expect_error.h"

namespace diptych {
namespace {

using std::chrono::milliseconds;

/** Behaves like a c10d::Work whose slices are over `slices` times. The last time it has come to its end by then, as if
 * a moment after the slice. */
struct LateWork {
  int slices;
  std::string failure = "";  // how it ends; empty: well
  int waits = 0;

  bool isCompleted() const { return waits >= slices; }
  bool wait(milliseconds slice = milliseconds(0)) {
    if (slice > milliseconds(0) && waits++ < slices) throw std::runtime_error("Operation timed out!");
    if (!isCompleted()) throw std::logic_error("waits without end for what has not ended");
    if (!failure.empty()) throw std::runtime_error(failure);
    return true;
  }
};

constexpr milliseconds kSlice{1};

std::string failure_of(LateWork& work, const std::function<void()>& while_waiting) {
  try {
    wait_for_work(work, kSlice, while_waiting);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "";
}

TEST(Waiting, AWorkThatEndsJustAfterItsSliceHasNotFailed) {
  LateWork work{.slices = 1};
  int looks = 0;
  EXPECT_EQ(failure_of(work, [&] { ++looks; }), "");
  EXPECT_EQ(looks, 0);
}

TEST(Waiting, AWorkThatFailsJustAfterItsSliceSaysWhy) {
  LateWork work{.slices = 1, .failure = "Connection closed by peer"};
  EXPECT_EQ(failure_of(work, [] {}), "Connection closed by peer");
}

TEST(Waiting, LooksAroundAfterEverySlice) {
  LateWork work{.slices = 4};
  int looks = 0;
  EXPECT_EQ(failure_of(work, [&] { ++looks; }), "");
  EXPECT_EQ(looks, 3);
}

TEST(Waiting, WhatItSeesThereEndsTheWait) {
  LateWork work{.slices = 1000};
  EXPECT_EQ(failure_of(work, [] { throw std::runtime_error("the deadline is over"); }), "the deadline is over");
}

TEST(Waiting, ForAThreadThatComesToItsEnd) {
  std::promise<void> promise;
  std::future<void> done = promise.get_future();
  int looks = 0;
  wait_for_thread(done, kSlice, [&] {
    if (++looks == 3) promise.set_value();
  });
  EXPECT_EQ(looks, 3);
}

TEST(Waiting, ForAThreadThatThrows) {
  std::promise<void> promise;
  std::future<void> done = promise.get_future();
  promise.set_exception(std::make_exception_ptr(Error(ExitCode::io, {"a thread", "no error", "one", ""})));
  expect_error([&] { wait_for_thread(done, kSlice, [] {}); }, ExitCode::io, {"a thread"});
}

TEST(Waiting, ForAThreadThatNeverEnds) {
  std::promise<void> promise;
  std::future<void> done = promise.get_future();
  EXPECT_THROW(wait_for_thread(done, kSlice, [] { throw std::runtime_error("the deadline is over"); }),
               std::runtime_error);
}

}  // namespace
}  // namespace diptych
