#include "diptych/tensor/torch.h"

#include "diptych/train/rl.h"

#include <gtest/gtest.h>

#include "golden/train/runs.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class RlRunTest : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny_model(model_); }
  RlRecipe recipe(const std::string& run) const { return rl_recipe(model_, folder_.path() / run); }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(RlRunTest, TwoRunsAreOneAndMatchTheGoldenNumbers) {
  const RlResult result = train_rl(recipe("a"));
  EXPECT_EQ(result.reason, EndReason::finished);
  EXPECT_EQ(result.steps, 6);
  ASSERT_TRUE(result.before && result.after);
  EXPECT_NE(result.before->reward, result.after->reward);
  train_rl(recipe("b"));
  expect_same_run(folder_.path() / "b", folder_.path() / "a");
  // One byte of one pixel, which rounding may flip, is 5e-4 of the spread of these rewards.
  expect_golden(folder_.path() / "a", "rl.json", 3e-3);
}

TEST_F(RlRunTest, SixStepsAreThreeAndThree) {
  train_rl(recipe("whole"));
  RlRecipe parts = recipe("parts");
  parts.train.steps = 3;
  EXPECT_EQ(train_rl(parts).steps, 3);
  parts.train.steps = 6;
  const RlResult rest = train_rl(parts);
  EXPECT_EQ(rest.steps, 6);
  EXPECT_FALSE(rest.before);
  expect_same_run(folder_.path() / "parts", folder_.path() / "whole");
  // A run that is done stays done.
  EXPECT_EQ(train_rl(parts).steps, 6);
  expect_same_run(folder_.path() / "parts", folder_.path() / "whole");
}

TEST_F(RlRunTest, ALostCheckpointIsMadeUpFor) {
  train_rl(recipe("whole"));
  RlRecipe crashed = recipe("crashed");
  crashed.run.checkpoint_every = 2;
  train_rl(crashed);
  lose_newest_checkpoint(folder_.path() / "crashed");
  train_rl(crashed);
  expect_same_run(folder_.path() / "crashed", folder_.path() / "whole");
}

TEST_F(RlRunTest, AContinuationKeepsTheReferenceOfTheStart) {
  RlRecipe parts = recipe("parts");
  parts.train.mini_batches = 1;  // so the loss is that before the step's only update
  parts.train.steps = 3;
  train_rl(parts);
  parts.train.steps = 4;
  train_rl(parts);
  const std::vector<nlohmann::json> rows = metric_rows(folder_.path() / "parts");
  EXPECT_EQ(rows[1].at("loss/velocity_mse").get<double>(), 0);
  EXPECT_GT(rows.back().at("loss/velocity_mse").get<double>(), 0);
}

TEST_F(RlRunTest, OneExpertCanTrainAlone) {
  RlRecipe image_only = recipe("image_only");
  image_only.train.steps = 2;
  image_only.train.text_weight = 0;
  image_only.train.und_learning_rate = 0;
  image_only.rollout.episode = "t2i";
  image_only.eval.prompts = 0;
  train_rl(image_only);
  ModelFolder before = load_model_folder(model_), after = load_model_folder(folder_.path() / "image_only" / "model");
  const std::vector<ParameterSlot> slots = transformer_slots(after.model), old = transformer_slots(before.model);
  int64_t moved = 0;
  for (size_t i = 0; i < slots.size(); ++i) {
    const bool same = bool(same_bits(*slots[i].tensor, *old[i].tensor));
    if (slots[i].name.find("moe_gen") == std::string::npos) {
      EXPECT_TRUE(same) << slots[i].name;
    }
    moved += same ? 0 : 1;
  }
  EXPECT_GT(moved, 20);
}

TEST_F(RlRunTest, SkippedUpdatesInARowAreCountedAcrossAContinuation) {
  RlRecipe broken = recipe("run");
  broken.train.image_weight = INFINITY;
  broken.train.mini_batches = 1;
  broken.train.max_skipped = 3;
  broken.eval.prompts = 0;
  broken.train.steps = 2;
  EXPECT_EQ(train_rl(broken).steps, 2);
  broken.train.steps = 4;
  expect_error([&] { train_rl(broken); }, ExitCode::numerics, {"step 2", "3 updates in a row"});
}

TEST_F(RlRunTest, AnotherRecipeInTheSameFolderIsRefused) {
  RlRecipe first = recipe("run");
  first.train.steps = 1;
  first.eval.prompts = 0;
  train_rl(first);
  first.train.group_size = 4;
  expect_error([&] { train_rl(first); }, ExitCode::config, {"train.group_size: 3 -> 4"});
}

}  // namespace
}  // namespace diptych
