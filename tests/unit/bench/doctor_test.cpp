#include "diptych/tensor/torch.h"

#include "diptych/bench/doctor.h"

#include <gtest/gtest.h>

#include "support/scripted_model.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

MetricRows rows_of(const std::vector<double>& rewards, double deviation) {
  MetricRows rows;
  for (double reward : rewards) rows.push_back({{"reward/mean", reward}, {"reward/std", deviation}});
  return rows;
}

TEST(DoctorTest, ARiseMustBeFarOutsideOfChance) {
  // The means of 2 x 16 chains with deviation .04 err by .04 / sqrt(32) each: their difference by .01.
  EXPECT_EQ(judge_rise(rows_of({0.80, 0.80, 0.82, 0.82, 0.841, 0.841}, 0.04), 16).health, Health::ok);
  EXPECT_EQ(judge_rise(rows_of({0.80, 0.80, 0.82, 0.82, 0.839, 0.839}, 0.04), 16).health, Health::failure);
  EXPECT_EQ(judge_rise(rows_of({0.84, 0.84, 0.82, 0.82, 0.80, 0.80}, 0.04), 16).health, Health::failure);
  EXPECT_EQ(judge_rise(rows_of({0.8, 0.9}, 0.04), 16).health, Health::failure);
  EXPECT_EQ(judge_rise({}, 16).health, Health::failure);
}

TEST(DoctorTest, SkippedUpdatesAreAFailure) {
  RlRecipe recipe;
  MetricRows rows = {{{"gate/text_max", 1e-6}, {"gate/image_max", 2e-6}, {"update/skipped", 0}}};
  EXPECT_EQ(judge_numerics(rows, recipe).health, Health::ok);
  rows.push_back({{"update/skipped", 1}});
  EXPECT_EQ(judge_numerics(rows, recipe).health, Health::failure);
}

TEST(DoctorTest, TheTrivialRunChangesNothingThatDecidesLearning) {
  RlRecipe recipe;
  recipe.run.seed = 7;
  recipe.train.gen_learning_rate = 1e-3;
  const RlRecipe trivial = trivial_recipe(recipe, "somewhere");
  EXPECT_EQ(trivial.run.dir, "somewhere");
  EXPECT_EQ(trivial.reward.kind, "brightness");
  EXPECT_EQ(trivial.eval.prompts, 0);
  EXPECT_EQ(trivial.run.seed, 7);
  EXPECT_EQ(trivial.train.gen_learning_rate, 1e-3);
}

TEST(DoctorTest, AModelFolderIsLoadedAndUsed) {
  const TemporaryFolder folder;
  const ModelFolder made = make_scripted_model(folder.path() / "model");
  for (const CheckResult& finding : check_model(folder.path() / "model"))
    EXPECT_EQ(finding.health, Health::ok) << finding.subject << ": " << finding.detail;
}

TEST(DoctorTest, AWeightThatIsNotFiniteIsNamed) {
  const TemporaryFolder folder;
  ModelFolder made = make_scripted_model(folder.path() / "model");
  made.model.embed_tokens[3][1] = std::numeric_limits<float>::quiet_NaN();
  save_model_folder(folder.path() / "model", made.model, folder.path() / "model", /*compact=*/false);
  const std::vector<CheckResult> findings = check_model(folder.path() / "model");
  EXPECT_EQ(findings.front().health, Health::failure);
  EXPECT_NE(findings.front().detail.find("embed_tokens"), std::string::npos) << findings.front().detail;
}

TEST(DoctorTest, AFolderThatIsNoModelIsAFinding) {
  const TemporaryFolder folder;
  const std::vector<CheckResult> findings = check_model(folder.path());
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_EQ(findings.front().health, Health::failure);
  EXPECT_NE(findings.front().detail.find("config.json"), std::string::npos) << findings.front().detail;
}

}  // namespace
}  // namespace diptych
