#include "diptych/tensor/torch.h"

#include "diptych/train/optimizer/moving_average.h"

#include <gtest/gtest.h>

#include "support/compare.h"

namespace diptych {
namespace {

TEST(MovingAverageTest, FollowsTheWeights) {
  const Tensor weight = at::tensor({1.0f, 2.0f}).set_requires_grad(true);
  const std::vector<NamedTensor> weights = {{"a", weight}};
  const std::vector<NamedTensor> average = start_average(weights);
  EXPECT_EQ(average[0].name, "ema/a");
  EXPECT_TRUE(same_bits(average[0].tensor, weight));
  EXPECT_FALSE(average[0].tensor.requires_grad());
  weight.data().add_(4);
  EXPECT_TRUE(same_bits(average[0].tensor, at::tensor({1.0f, 2.0f})));  // a copy
  update_average(average, weights, 0.75);
  EXPECT_TRUE(close(average[0].tensor, at::tensor({2.0f, 3.0f}), {.normalised = 1e-6}));
  update_average(average, weights, 0);
  EXPECT_TRUE(close(average[0].tensor, at::tensor({5.0f, 6.0f}), {.normalised = 1e-6}));
}

}  // namespace
}  // namespace diptych
