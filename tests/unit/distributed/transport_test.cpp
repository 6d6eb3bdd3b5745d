#include "diptych/distributed/transport.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace diptych {
namespace {

TEST(Transport, NcclTellsTheCauseInItsLastLine) {
  const std::runtime_error error(
      "NCCL error in: NCCLUtils.cpp:94, invalid usage (run with NCCL_DEBUG=WARN for details), NCCL version 2.30.7\n"
      "ncclInvalidUsage: This usually reflects invalid usage of NCCL library.\n"
      "Last error:\n"
      "Duplicate GPU detected : rank 1 and rank 0 both on CUDA device 1a000\n"
      "Exception raised from create at NCCLUtils.cpp:94 (most recent call first):\n"
      "frame #0: c10::Error::Error(c10::SourceLocation, std::string)\n");
  EXPECT_EQ(
      words_of(error),
      "NCCL error in: NCCLUtils.cpp:94, invalid usage (run with NCCL_DEBUG=WARN for details), NCCL version 2.30.7 "
      "ncclInvalidUsage: This usually reflects invalid usage of NCCL library. Last error: Duplicate GPU detected : "
      "rank 1 and rank 0 both on CUDA device 1a000");
}

TEST(Transport, WordsOfOneLine) {
  EXPECT_EQ(words_of(std::runtime_error("the deadline is over")), "the deadline is over");
}

}  // namespace
}  // namespace diptych
