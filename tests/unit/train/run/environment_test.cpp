#include "diptych/train/run/environment.h"

#include <gtest/gtest.h>

#include <vector>

namespace diptych {
namespace {

TEST(Environment, DescribesThisProcess) {
  const Environment now = current_environment();
  EXPECT_GE(now.threads, 1);
  EXPECT_FALSE(now.instruction_set.empty());
  EXPECT_FALSE(now.torch_version.empty());
  EXPECT_EQ(now, current_environment());
  EXPECT_TRUE(environment_changes(now, now).empty());
}

TEST(Environment, NamesEveryChange) {
  const Environment before{.threads = 2, .instruction_set = "AVX2", .torch_version = "2.13.0"};
  const Environment now{.threads = 4, .instruction_set = "AVX512", .torch_version = "2.13.0"};
  const std::vector<std::string> expected = {"threads: 2 -> 4", "instruction set: AVX2 -> AVX512"};
  EXPECT_EQ(environment_changes(before, now), expected);
}

TEST(Environment, PeakMemoryCoversWhatWasTouched) {
  const std::vector<char> touched(64 << 20, 1);
  EXPECT_GT(peak_resident_bytes(), static_cast<int64_t>(touched.size()));
}

}  // namespace
}  // namespace diptych
