#include "diptych/tensor/torch.h"

#include "diptych/train/loops/rl_metrics.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

Stage stage_of(int64_t round, const std::optional<std::string>& text, size_t tokens, bool truncated) {
  Stage stage;
  stage.round = round;
  if (!text) return stage;
  stage.text = SampledText{std::vector<int64_t>(tokens, 7), std::vector<double>(tokens, -1), truncated};
  stage.candidate.texts = {*text};
  return stage;
}

TEST(RlMetricsTest, ThoughtsAndReflectionsAreCountedApart) {
  Rollout rollout;
  rollout.stages = {stage_of(0, "<think> a </think> b", 6, false), stage_of(0, "<think> a", 10, true),
                    stage_of(0, std::nullopt, 0, false), stage_of(1, "<think> a </think> done", 4, false),
                    stage_of(1, "<think> </think> done", 4, false)};
  MetricRow row;
  add_text_metrics(rollout, row);
  EXPECT_EQ(row, (MetricRow{{"think/length", 8},
                            {"think/truncated", 0.5},
                            {"think/well_formed", 0.5},
                            {"think/empty", 0},
                            {"reflection/length", 4},
                            {"reflection/truncated", 0},
                            {"reflection/well_formed", 0.5},
                            {"reflection/empty", 0.5}}));
  rollout.stages = {stage_of(0, std::nullopt, 0, false)};
  MetricRow none;
  add_text_metrics(rollout, none);
  EXPECT_TRUE(none.empty());
}

TEST(RlMetricsTest, RewardsAreThoseOfTheAdvantages) {
  RewardedRollout step;
  step.rewards = {1, 0, 0.5, 0.5, 0};
  step.valid = {true, true, true, true, false};
  step.groups = {0, 0, 1, 1, 1};
  step.advantages = group_advantages(step.rewards, step.groups, step.valid, {});
  step.metrics = {{"refine/improved", 0.25}};
  MetricRow row;
  add_reward_metrics(step, row);
  EXPECT_DOUBLE_EQ(row.at("reward/mean"), 0.5);
  EXPECT_DOUBLE_EQ(row.at("reward/std"), std::sqrt(0.5 / 4));
  EXPECT_DOUBLE_EQ(row.at("reward/group_std"), 0.25);
  EXPECT_DOUBLE_EQ(row.at("reward/zero_spread_groups"), 0.5);
  EXPECT_DOUBLE_EQ(row.at("reward/masked"), 0.2);
  EXPECT_EQ(row.at("refine/improved"), 0.25);
}

TEST(RlMetricsTest, WhereNothingWasScoredNoCurveShowsZero) {
  RewardedRollout step;
  step.rewards = {0, 0};
  step.valid = {false, false};
  step.groups = {0, 0};
  step.scores = {{.value = std::nullopt, .checks = {}, .status = ScoreStatus::masked, .raw_reply = "the judge is down"},
                 {.value = std::nullopt, .checks = {}, .status = ScoreStatus::masked, .raw_reply = "late"}};
  step.advantages = group_advantages(step.rewards, step.groups, step.valid, {});
  MetricRow row;
  add_reward_metrics(step, row);
  EXPECT_EQ(row, (MetricRow{{"reward/masked", 1}}));
  EXPECT_EQ(missing_rewards(step)->count, 2u);
  EXPECT_EQ(missing_rewards(step)->reason, "the judge is down");
  step.valid = {true, true};
  EXPECT_FALSE(missing_rewards(step));
}

}  // namespace
}  // namespace diptych
