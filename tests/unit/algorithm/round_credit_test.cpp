#include "diptych/algorithm/round_credit.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "diptych/algorithm/advantages.h"

namespace diptych {
namespace {

constexpr RoundCreditOptions kOptions{.stop_bonus = 0.5, .false_stop_cost = 2};

std::vector<std::optional<double>> rewards(const RoundChain& chain, const RoundCreditOptions& options = kOptions) {
  std::vector<std::optional<double>> result;
  const std::vector<StageCredit> stages = stage_credits(chain, options);
  for (size_t i = 0; i < stages.size(); ++i) {
    EXPECT_EQ(stages[i].round, static_cast<int64_t>(i));
    result.push_back(stages[i].reward);
  }
  return result;
}

using Rewards = std::vector<std::optional<double>>;

TEST(RoundCredit, ImprovementGivesEveryRoundItsOwnStep) {
  EXPECT_EQ(rewards({{0.25, 0.75, 0.5}, RoundEnd::cap}), (Rewards{0.25, 0.5, -0.25}));
  // A round on a perfect picture costs what it spoils.
  EXPECT_EQ(rewards({{1, 0.5}, RoundEnd::cap}), (Rewards{1, -0.5}));
}

TEST(RoundCredit, ImprovementsAddUpToTheFinalValue) {
  const Rewards parts = rewards({{0.125, 0.5, 0.25, 0.875}, RoundEnd::cap});
  double sum = 0;
  for (const auto& part : parts) sum += *part;
  EXPECT_EQ(sum, 0.875);
}

TEST(RoundCredit, RightAndFalseStops) {
  EXPECT_EQ(rewards({{0.5, 1}, RoundEnd::stop}), (Rewards{0.5, 0.5, 0.5}));
  EXPECT_EQ(rewards({{0.75}, RoundEnd::stop}), (Rewards{0.75, -0.5}));
  EXPECT_EQ(stage_credits({{0.75}, RoundEnd::stop}, kOptions).back().stage, RoundStage::end);
}

TEST(RoundCredit, AnUnreadableEndEarnsNoBonusAndCostsAsMuch) {
  EXPECT_EQ(rewards({{1}, RoundEnd::unreadable}), (Rewards{1, 0}));
  EXPECT_EQ(rewards({{0.75}, RoundEnd::unreadable}), (Rewards{0.75, -0.5}));
}

TEST(RoundCredit, TheToleranceSaysWhatIsPerfect) {
  RoundCreditOptions options = kOptions;
  options.perfect_tolerance = 0.125;
  EXPECT_EQ(rewards({{0.875}, RoundEnd::stop}, options), (Rewards{0.875, 0.5}));
  options.perfect_tolerance = 0;
  EXPECT_EQ(rewards({{0.875}, RoundEnd::stop}, options), (Rewards{0.875, -0.25}));
}

TEST(RoundCredit, FinalGivesReasonTheLastValue) {
  RoundCreditOptions options = kOptions;
  options.kind = RoundCreditKind::final;
  EXPECT_EQ(rewards({{0.25, 0.5, 0.75}, RoundEnd::cap}, options), (Rewards{0.75, 0.25, 0.25}));
  EXPECT_EQ(rewards({{0.25, 0.75}, RoundEnd::stop}, options), (Rewards{0.75, 0.5, -0.5}));
}

TEST(RoundCredit, AMaskedScoreMasksTheStagesThatNeedIt) {
  EXPECT_EQ(rewards({{0.25, std::nullopt, 0.5}, RoundEnd::stop}), (Rewards{0.25, std::nullopt, std::nullopt, -1}));
  EXPECT_EQ(rewards({{0.25, std::nullopt}, RoundEnd::stop}), (Rewards{0.25, std::nullopt, std::nullopt}));
  EXPECT_THROW(stage_credits({}, kOptions), std::invalid_argument);
}

TEST(RoundCredit, StopsAndRefinementsOfARoundFormOneGroup) {
  const std::vector<RoundChain> chains = {
      {{0.5, 1}, RoundEnd::cap},             // round 1: +0.5
      {{0.5}, RoundEnd::stop},               // round 1: -1
      {{0.5, 0}, RoundEnd::cap},             // round 1: -0.5
      {{0.5, std::nullopt}, RoundEnd::cap},  // round 1: masked
  };
  std::vector<double> stage_rewards;
  std::vector<int64_t> groups;
  std::vector<bool> valid;
  for (const RoundChain& chain : chains) {
    for (const StageCredit& stage : stage_credits(chain, kOptions)) {
      stage_rewards.push_back(stage.reward.value_or(99));
      groups.push_back(stage.round);
      valid.push_back(stage.reward.has_value());
    }
  }
  const Advantages result = group_advantages(stage_rewards, groups, valid, {.mean_only = true});
  ASSERT_EQ(result.groups.size(), 2u);
  EXPECT_TRUE(result.groups[0].zero_spread);
  EXPECT_EQ(result.groups[1].valid, 3);
  const std::vector<double> expected = {0, 5.0 / 6, 0, -2.0 / 3, 0, -1.0 / 6, 0, 0};
  ASSERT_EQ(result.values.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(result.values[i], expected[i], 1e-15) << i;
}

TEST(StopStatistics, CountsEveryDecision) {
  const std::vector<RoundChain> chains = {
      {{0.5, 1}, RoundEnd::stop},             // refine a flawed one, right stop
      {{1, 1, 0.5}, RoundEnd::cap},           // two perfect pictures refined again
      {{0.5}, RoundEnd::stop},                // false stop
      {{1}, RoundEnd::unreadable},            // perfect, but not said
      {{std::nullopt, 1.0}, RoundEnd::stop},  // first decision without a score, then a right stop
      {{0.5}, RoundEnd::cap},                 // no rounds at all
  };
  const StopStatistics result = stop_statistics(chains, 1e-6);
  EXPECT_EQ(result.decisions, 7);
  EXPECT_EQ(result.perfect_offered, 5);
  EXPECT_EQ(result.stops, 3);
  EXPECT_EQ(result.right_stops, 2);
  EXPECT_EQ(result.false_stops, 1);
  EXPECT_EQ(result.unreadable, 1);
  EXPECT_EQ(result.masked, 1);
  EXPECT_EQ(result.precision(), 2.0 / 3);
  EXPECT_EQ(result.recall(), 2.0 / 5);
}

TEST(StopStatistics, NoStopNoPrecision) {
  const StopStatistics none = stop_statistics({}, 0);
  EXPECT_EQ(none.precision(), std::nullopt);
  EXPECT_EQ(none.recall(), std::nullopt);
}

}  // namespace
}  // namespace diptych
