#include "diptych/tensor/random.h"

#include <gtest/gtest.h>

#include "diptych/tensor/packs.h"
#include "support/compare.h"

namespace diptych {
namespace {

constexpr StreamKey kKey = {.seed = 7, .purpose = Purpose::test, .step = 3, .sample = 2};

TEST(RandomTest, ElementsFollowTheStream) {
  const Tensor normal = normal_tensor(kKey, {3, 5}).flatten();
  Stream stream(kKey);
  for (int64_t i = 0; i < normal.numel(); ++i)
    EXPECT_EQ(normal[i].item<float>(), static_cast<float>(stream.normal())) << i;
}

// Large enough for several threads, and of odd size: the last pair of the stream is used by half.
TEST(RandomTest, ThreadsChangeNoNumber) {
  constexpr int64_t kCount = 200'001;
  for (const int threads : {1, 2, 3, 7}) {
    const KernelThreads limited(threads);
    const Tensor normal = normal_tensor(kKey, {kCount});
    const float* values = normal.const_data_ptr<float>();
    Stream stream(kKey);
    for (int64_t i = 0; i < kCount; ++i) ASSERT_EQ(values[i], static_cast<float>(stream.normal())) << i;
  }
}

TEST(RandomTest, ALongerTensorBeginsWithTheShorterOne) {
  EXPECT_TRUE(same_bits(normal_tensor(kKey, {100}).narrow(0, 0, 7), normal_tensor(kKey, {7})));
  EXPECT_TRUE(same_bits(uniform_tensor(kKey, {100}).narrow(0, 0, 7), uniform_tensor(kKey, {7})));
}

TEST(RandomTest, MomentsAreThoseOfTheDistributions) {
  const Tensor normal = normal_tensor(kKey, {20000});
  EXPECT_NEAR(normal.mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(normal.std().item<double>(), 1, 0.02);
  const Tensor uniform = uniform_tensor(kKey, {20000});
  EXPECT_NEAR(uniform.mean().item<double>(), 0.5, 0.01);
  EXPECT_NEAR(uniform.var().item<double>(), 1.0 / 12, 0.003);
  EXPECT_GE(uniform.min().item<float>(), 0);
  EXPECT_LT(uniform.max().item<float>(), 1);
}

}  // namespace
}  // namespace diptych
