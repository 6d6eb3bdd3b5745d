#include "diptych/train/run/stop.h"

#include <gtest/gtest.h>

#include <csignal>

namespace diptych {
namespace {

TEST(StopSignals, FirstInterruptOnlySetsTheFlag) {
  const StopSignals signals;
  EXPECT_FALSE(stop_requested());
  std::raise(SIGINT);
  EXPECT_TRUE(stop_requested());
  EXPECT_EQ(stop_signal(), SIGINT);
}

TEST(StopSignals, EveryTerminateOnlySetsTheFlag) {
  const StopSignals signals;
  std::raise(SIGTERM);
  std::raise(SIGTERM);
  EXPECT_EQ(stop_signal(), SIGTERM);
}

TEST(StopSignals, WhatSchedulersAndTerminalsSendAsksToo) {
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {
    const StopSignals signals;
    std::raise(signal);
    std::raise(signal);
    EXPECT_EQ(stop_signal(), signal);
  }
}

TEST(StopSignals, WhatTheProgramWasStartedToIgnoreStaysIgnored) {
  for (const int signal : {SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU}) {  // nohup, trap '' USR1
    const auto before = std::signal(signal, SIG_IGN);
    {
      const StopSignals signals;
      std::raise(signal);
      EXPECT_FALSE(stop_requested()) << signal;
    }
    EXPECT_EQ(std::signal(signal, before), SIG_IGN);
  }
}

TEST(StopSignals, AReaderOfTheLogThatHasGoneIsNoReasonToEnd) {
  const StopSignals signals;
  std::raise(SIGPIPE);
  EXPECT_FALSE(stop_requested());
}

TEST(StopSignals, ANewObjectStartsClean) {
  {
    const StopSignals signals;
    std::raise(SIGTERM);
  }
  EXPECT_FALSE(stop_requested());  // nor does an old one leave its signal behind
  const StopSignals signals;
  EXPECT_FALSE(stop_requested());
}

volatile std::sig_atomic_t outer_calls = 0;

TEST(StopSignals, RestoresPreviousHandlers) {
  struct sigaction outer {};
  outer.sa_handler = [](int) { outer_calls = outer_calls + 1; };
  struct sigaction before {};
  sigaction(SIGTERM, &outer, &before);
  {
    const StopSignals signals;
    std::raise(SIGTERM);
    EXPECT_EQ(outer_calls, 0);
  }
  std::raise(SIGTERM);
  EXPECT_EQ(outer_calls, 1);
  sigaction(SIGTERM, &before, nullptr);
}

using StopSignalsDeathTest = ::testing::Test;

TEST_F(StopSignalsDeathTest, SecondInterruptEndsTheProcess) {
  EXPECT_EXIT(
      {
        const StopSignals signals;
        std::raise(SIGINT);
        std::raise(SIGINT);
      },
      ::testing::KilledBySignal(SIGINT), "");
}

}  // namespace
}  // namespace diptych
