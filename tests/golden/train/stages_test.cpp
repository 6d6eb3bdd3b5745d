// Runs whose episodes look at pictures: refinement and rounds.
#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "diptych/train/loops/rl.h"
#include "golden/train/runs.h"
#include "support/scripted_model.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

class StageRunTest : public ::testing::Test {
 protected:
  void SetUp() override { make_scripted_model(model_); }

  /** Ten steps that record every fifth. */
  RlRecipe recipe(const std::string& run) const {
    RlRecipe recipe = rl_recipe(model_, folder_.path() / run);
    recipe.rollout.max_think_tokens = 8;
    recipe.rollout.reflection_prompt = "{prompt} failed";
    recipe.rollout.review_prompt = "is it {prompt} ?";
    recipe.reward.kind = "shapes_soft";
    recipe.train.steps = 10;
    recipe.train.record_every = 5;
    recipe.eval.every = 5;
    return recipe;
  }
  RlRecipe reflect(const std::string& run) const {
    RlRecipe recipe = this->recipe(run);
    recipe.rollout.episode = "reflect";
    recipe.refine.initial_images = 3;
    recipe.refine.mix_t2i = true;
    recipe.eval.refine = "always";
    return recipe;
  }
  RlRecipe rounds(const std::string& run) const {
    RlRecipe recipe = this->recipe(run);
    recipe.rollout.episode = "rounds:1";
    recipe.train.group_size = 6;
    recipe.eval.refine = "self";
    return recipe;
  }

  /** The run of ten steps, also as five and five, and its golden numbers. */
  void expect_five_and_five(const RlRecipe& whole, RlRecipe parts, const std::string& golden) {
    const RlResult result = train_rl(whole);
    EXPECT_EQ(result.steps, 10);
    ASSERT_TRUE(result.before && result.after);
    for (const std::optional<MetricRow>& evaluated : {result.before, result.after})
      EXPECT_TRUE(evaluated->contains("eval/refine/before"));
    parts.train.steps = 5;
    EXPECT_EQ(train_rl(parts).steps, 5);
    parts.train.steps = 10;
    EXPECT_EQ(train_rl(parts).steps, 10);
    expect_same_run(parts.run.dir, whole.run.dir);
    for (const char* step : {"step_000001.jsonl", "step_000005.jsonl", "step_000010.jsonl"})
      EXPECT_EQ(read_file(std::filesystem::path(parts.run.dir) / "rollouts" / step),
                read_file(std::filesystem::path(whole.run.dir) / "rollouts" / step));
    double applied = 0;
    for (const nlohmann::json& row : metric_rows(whole.run.dir))
      if (row.contains("update/applied")) applied += row.at("update/applied").get<double>();
    EXPECT_GE(applied, 10);
    expect_golden(whole.run.dir, golden, 1e-2);
  }

  TemporaryFolder folder_;
  const std::filesystem::path model_ = folder_.path() / "model";
};

TEST_F(StageRunTest, TenStepsOfReflectionAreFiveAndFive) {
  expect_five_and_five(reflect("whole"), reflect("parts"), "reflect.json");
}

TEST_F(StageRunTest, TenStepsOfRoundsAreFiveAndFive) {
  expect_five_and_five(rounds("whole"), rounds("parts"), "rounds.json");
}

}  // namespace
}  // namespace diptych
