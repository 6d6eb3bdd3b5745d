#include "diptych/tensor/torch.h"

#include "diptych/train/optimizer/optimizer_config.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(AdamwOptionsTest, FollowTheRecipe) {
  const AdamWOptions options =
      adamw_options({.beta1 = 0.8, .beta2 = 0.95, .epsilon = 1e-6, .weight_decay = 0.2, .max_grad_norm = 2});
  EXPECT_EQ(options.beta1, 0.8);
  EXPECT_EQ(options.beta2, 0.95);
  EXPECT_EQ(options.epsilon, 1e-6);
  EXPECT_EQ(options.weight_decay, 0.2);
  EXPECT_EQ(options.joint_max_grad_norm, 0);  // norms are per expert
}

TEST(LearningRateTest, WarmsUpByUpdatesAndFallsBySteps) {
  OptimizerConfig config{.warmup_steps = 4};
  EXPECT_DOUBLE_EQ(learning_rate_scale(config, 0, 50, 100), 0.25);
  EXPECT_DOUBLE_EQ(learning_rate_scale(config, 9, 50, 100), 1);
  config.decay = "cosine";
  EXPECT_DOUBLE_EQ(learning_rate_scale(config, 9, 0, 100), 1);
  EXPECT_DOUBLE_EQ(learning_rate_scale(config, 9, 50, 100), 0.5);
  EXPECT_DOUBLE_EQ(learning_rate_scale(config, 0, 50, 100), 0.125);
  EXPECT_GT(learning_rate_scale(config, 9, 99, 100), 0);
  EXPECT_NEAR(learning_rate_scale(config, 9, 100, 100), 0, 1e-15);
}

}  // namespace
}  // namespace diptych
