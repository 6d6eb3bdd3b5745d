#include "diptych/report/health/health_learning.h"

#include <gtest/gtest.h>

#include "unit/report/expect_finding.h"
#include "unit/report/series_of.h"

namespace diptych {
namespace {

const RecipeValues kRecipe = {{"eval.prompts", "512"}, {"reward.judge.timeout_seconds", "100"}};

TEST(HealthLearningTest, FlatReward) {
  expect_finding(flat_reward({{"reward/mean", ramp(200, 0.5, 0.5, 0.1)}}, kRecipe), Severity::alarm,
                 {"not risen", "200 steps"});
  EXPECT_TRUE(flat_reward({{"reward/mean", ramp(200, 0.5, 0.7, 0.1)}}, kRecipe).empty());
  EXPECT_TRUE(flat_reward({{"reward/mean", ramp(60, 0.5, 0.5, 0.1)}}, kRecipe).empty()) << "too early";
  EXPECT_TRUE(flat_reward({}, kRecipe).empty());
}

TEST(HealthLearningTest, AFlatRewardIsFineWhereHeldOutPicturesImprove) {
  EXPECT_TRUE(flat_reward({{"reward/mean", ramp(200, 0.5, 0.5, 0.1)},
                           {"eval/correct_explicit", evaluations(0.4, 0.6)},
                           {"eval/correct_implicit", evaluations(0.4, 0.5)}},
                          kRecipe)
                  .empty());
}

TEST(HealthLearningTest, FallenReward) {
  const Series collapse = series_of(400, [](int64_t step) {
    return step < 200 ? 0.5 + 0.001 * static_cast<double>(step) : 0.9 - 0.001 * static_cast<double>(step);
  });
  expect_finding(fallen_reward({{"reward/mean", collapse}}, kRecipe), Severity::alarm, {"fell from 0.69", "step 2"});
  const Series small_dip = series_of(400, [](int64_t step) {
    return step < 350 ? 0.5 + 0.001 * static_cast<double>(step) : 0.85 - 0.0001 * static_cast<double>(step - 350);
  });
  EXPECT_TRUE(fallen_reward({{"reward/mean", small_dip}}, kRecipe).empty());
  EXPECT_TRUE(fallen_reward({{"reward/mean", ramp(400, 0.5, 0.5, 0.2)}}, kRecipe).empty()) << "noise alone";
}

Curves trained(double reward_after, double correct_after) {
  return {{"reward/mean", ramp(200, 0.5, reward_after, 0.05)},
          {"eval/correct_explicit", evaluations(0.5, correct_after)},
          {"eval/correct_implicit", evaluations(0.5, correct_after)}};
}

TEST(HealthLearningTest, GamedReward) {
  expect_finding(gamed_reward(trained(0.9, 0.4), kRecipe), Severity::alarm, {"rose", "fell from 0.5 to 0.4"});
  expect_finding(gamed_reward(trained(0.9, 0.495), kRecipe), Severity::watch, {"did not rise"});
  EXPECT_TRUE(gamed_reward(trained(0.9, 0.6), kRecipe).empty());
  EXPECT_TRUE(gamed_reward(trained(0.5, 0.4), kRecipe).empty()) << "the reward did not rise";
}

TEST(HealthLearningTest, WorseHeldOut) {
  EXPECT_EQ(worse_held_out(trained(0.5, 0.4), kRecipe).size(), 2u);  // both pools
  EXPECT_TRUE(worse_held_out(trained(0.5, 0.49), kRecipe).empty());
  const RecipeValues few_prompts = {{"eval.prompts", "8"}};
  EXPECT_TRUE(worse_held_out(trained(0.5, 0.4), few_prompts).empty()) << "within the noise of 8 prompts";
}

TEST(HealthLearningTest, WorseFamily) {
  const Curves curves = {{"eval/family/colors", evaluations(0.8, 0.5)},
                         {"eval/family/counting", evaluations(0.8, 0.75)},
                         {"eval/reward", evaluations(0.8, 0.1)}};
  expect_finding(worse_family(curves, kRecipe), Severity::watch, {"`colors`", "0.8 to 0.5"});
}

TEST(HealthLearningTest, EarlierWasBetter) {
  const auto evaluated = [](std::vector<double> values) {
    const Series series{{0, 100, 200}, values, {}};
    return Curves{{"eval/correct_explicit", series}, {"eval/correct_implicit", series}};
  };
  expect_finding(earlier_was_better(evaluated({0.4, 0.6, 0.5}), kRecipe), Severity::watch, {"0.6 at step 100"});
  EXPECT_TRUE(earlier_was_better(evaluated({0.4, 0.6, 0.59}), kRecipe).empty());
  EXPECT_TRUE(earlier_was_better(trained(0.5, 0.4), kRecipe).empty()) << "two evaluations have no middle";
}

TEST(HealthLearningTest, NoSpread) {
  const Series flat = ramp(100, 0.5, 0.5, 0.1);
  expect_finding(no_spread({{"reward/zero_spread_groups", constant(100, 0.7)}, {"reward/mean", flat}}, kRecipe),
                 Severity::watch, {"70.0 %"});
  const Findings solved =
      no_spread({{"reward/zero_spread_groups", ramp(100, 0, 1)}, {"reward/mean", ramp(100, 0.5, 1)}}, kRecipe);
  ASSERT_EQ(solved.size(), 1u);
  EXPECT_NE(solved[0].meaning.find("too easy"), std::string::npos);
  EXPECT_TRUE(no_spread({{"reward/zero_spread_groups", constant(100, 0.4)}}, kRecipe).empty());
  EXPECT_TRUE(no_spread({}, kRecipe).empty());
}

TEST(HealthLearningTest, LostSpread) {
  const Series shrinking = ramp(200, 0.3, 0);
  expect_finding(lost_spread({{"reward/group_std", shrinking}, {"reward/mean", ramp(200, 0.4, 0.4, 0.1)}}, kRecipe),
                 Severity::alarm, {"shrank"});
  EXPECT_TRUE(
      lost_spread({{"reward/group_std", shrinking}, {"reward/mean", ramp(200, 0.4, 0.9, 0.1)}}, kRecipe).empty())
      << "solved, not collapsed";
  EXPECT_TRUE(lost_spread({{"reward/group_std", ramp(200, 0.3, 0.2)}}, kRecipe).empty());
}

TEST(HealthLearningTest, MaskedRewards) {
  Series once = constant(100, 0);
  once.values[40] = 0.3;
  expect_finding(masked_rewards({{"reward/masked", once}}, kRecipe), Severity::watch, {"0.3 %", "1 step"});
  expect_finding(masked_rewards({{"reward/masked", constant(10, 0.2)}}, kRecipe), Severity::alarm, {"20.0 %"});
  EXPECT_TRUE(masked_rewards({{"reward/masked", constant(10, 0)}}, kRecipe).empty());
}

TEST(HealthLearningTest, JudgeTrouble) {
  const auto judge = [](double failed, double retries, double latency) {
    return Curves{{"judge/requests", constant(10, 100)},
                  {"judge/failed", constant(10, failed)},
                  {"judge/retries", constant(10, retries)},
                  {"judge/latency_p95", constant(10, latency)}};
  };
  expect_finding(judge_trouble(judge(1, 0, 1), kRecipe), Severity::watch, {"10 of 1000 requests"});
  expect_finding(judge_trouble(judge(50, 0, 1), kRecipe), Severity::alarm, {"500 of 1000"});
  expect_finding(judge_trouble(judge(0, 40, 1), kRecipe), Severity::watch, {"400 retries"});
  expect_finding(judge_trouble(judge(0, 0, 95), kRecipe), Severity::watch, {"95 s of the 100 s"});
  EXPECT_TRUE(judge_trouble(judge(0, 2, 10), kRecipe).empty());
  EXPECT_TRUE(judge_trouble({}, kRecipe).empty());
}

TEST(HealthLearningTest, FlatLoss) {
  expect_finding(flat_loss({{"loss/flow", ramp(200, 1, 1, 0.1)}, {"loss/cross_entropy", ramp(200, 7, 0.1)}}, kRecipe),
                 Severity::alarm, {"`loss/flow`"});
  EXPECT_TRUE(flat_loss({{"loss/total", ramp(200, 2, 0.1, 0.1)}}, kRecipe).empty());
}

}  // namespace
}  // namespace diptych
