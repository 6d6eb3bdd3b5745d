#include "diptych/tensor/torch.h"

#include "diptych/train/rollout/rewarded_rollout.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/expect_error.h"

namespace diptych {
namespace {

const double kNan = std::nan("");

Score score_of(std::optional<double> value, ScoreStatus status = ScoreStatus::ok) {
  Score score;
  score.value = value;
  score.status = status;
  return score;
}

/** Two groups of three. */
RewardedRollout step_with(const std::vector<Score>& scores) {
  RewardedRollout step;
  step.scores = scores;
  for (size_t i = 0; i < scores.size(); ++i) {
    step.rollout.stages.emplace_back();
    step.rollout.stages.back().prompt = static_cast<int64_t>(i / 3);
  }
  reward_each_stage(step);
  return step;
}

TEST(RewardedRolloutTest, OnlyAPresentFiniteAndOkValueIsUsable) {
  EXPECT_EQ(usable_value(score_of(0)), 0);
  EXPECT_FALSE(usable_value(Score()));
  for (const ScoreStatus status : {ScoreStatus::masked, ScoreStatus::failed})
    EXPECT_FALSE(usable_value(score_of(1, status)));
  for (const double value : {kNan, HUGE_VAL, -HUGE_VAL}) EXPECT_FALSE(usable_value(score_of(value))) << value;
}

TEST(RewardedRolloutTest, AnUnusableValueIsMissingAndNotZero) {
  for (const Score& unusable : {score_of(kNan), score_of(HUGE_VAL), score_of(0.9, ScoreStatus::failed),
                                score_of(std::nullopt, ScoreStatus::masked)}) {
    RewardedRollout step =
        step_with({score_of(0.5), score_of(0.5), score_of(0.5), score_of(0.2), unusable, score_of(0.8)});
    add_advantages(RlRecipe(), step);
    EXPECT_EQ(step.valid, (std::vector<bool>{true, true, true, true, false, true}));
    EXPECT_EQ(step.groups, (std::vector<int64_t>{0, 0, 0, 1, 1, 1}));
    // It pulls neither mean nor spread, and the group whose rewards are all equal has nothing to teach.
    EXPECT_EQ(step.contributing, (std::vector<size_t>{3, 5}));
    EXPECT_EQ(step.advantages.zero_spread_groups, 1);
    EXPECT_EQ(step.advantages.values[4], 0);
    EXPECT_NEAR(step.advantages.values[3], -1, 1e-3);
    EXPECT_NEAR(step.advantages.values[5], 1, 1e-3);
  }
}

Score score_of_terms(double value, std::optional<double> shown) {
  Score score = score_of(value);
  score.terms = {{"shapes_soft", 1, value}, {"command", 0, shown}};
  return score;
}

TEST(RewardedRolloutTest, ATermWithoutASayChangesNothing) {
  RlRecipe recipe;
  recipe.train.normalise_each_reward = true;
  RewardedRollout plain =
      step_with({score_of(0.5), score_of(0.5), score_of(0.5), score_of(0.2), score_of(0.8), Score()});
  add_advantages(RlRecipe(), plain);
  RewardedRollout step = step_with({score_of_terms(0.5, 0.1), score_of_terms(0.5, 0.9),
                                    score_of_terms(0.5, std::nullopt), score_of_terms(0.2, std::nullopt),
                                    score_of_terms(0.8, 0.4), score_of(std::nullopt, ScoreStatus::failed)});
  add_advantages(recipe, step);
  EXPECT_EQ(step.advantages.values, plain.advantages.values);
  EXPECT_EQ(step.contributing, (std::vector<size_t>{3, 4}));
  EXPECT_EQ(step.advantages.zero_spread_groups, 1);
  RewardedRollout none = step_with(std::vector<Score>(6));
  add_advantages(recipe, none);
  EXPECT_TRUE(none.contributing.empty());
}

TEST(RewardedRolloutTest, TooManyMissingRewardsEndTheRun) {
  const std::vector<Score> scores = {score_of(0.5), score_of(kNan)};
  check_missing(scores, 0.5);
  check_missing({}, 0);
  expect_error([&] { check_missing(scores, 0.49); }, ExitCode::reward, {"0.49", "0.5"});
}

}  // namespace
}  // namespace diptych
