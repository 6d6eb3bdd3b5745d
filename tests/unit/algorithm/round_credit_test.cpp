#include "diptych/algorithm/round_credit.h"

#include <gtest/gtest.h>

#include <limits>
#include <stdexcept>

#include "diptych/base/error.h"

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

TEST(RoundCredit, FinalGivesAllStagesTheLastValue) {
  RoundCreditOptions options = kOptions;
  options.kind = RoundCreditKind::final;
  EXPECT_EQ(rewards({{0.25, 0.5, 0.75}, RoundEnd::cap}, options), (Rewards{0.75, 0.75, 0.75}));
  EXPECT_EQ(rewards({{0.25, 0.75}, RoundEnd::stop}, options), (Rewards{0.75, 0.75, 0.25}));
}

TEST(RoundCredit, AMaskedScoreMasksTheStagesThatNeedIt) {
  EXPECT_EQ(rewards({{0.25, std::nullopt, 0.5}, RoundEnd::stop}), (Rewards{0.25, std::nullopt, std::nullopt, -1}));
  EXPECT_EQ(rewards({{0.25, std::nullopt}, RoundEnd::stop}), (Rewards{0.25, std::nullopt, std::nullopt}));
  EXPECT_THROW(stage_credits({}, kOptions), std::invalid_argument);
}

std::vector<std::vector<StageCredit>> credits(const std::vector<RoundChain>& chains) {
  std::vector<std::vector<StageCredit>> result;
  for (const RoundChain& chain : chains) result.push_back(stage_credits(chain, kOptions));
  return result;
}

TEST(RoundAdvantages, StopsAndRefinementsOfARoundCompete) {
  const std::vector<RoundChain> chains = {
      {{0.5, 1}, RoundEnd::cap},  // round 1: +0.5
      {{0.5}, RoundEnd::stop},    // round 1: -1
      {{0.5, 0}, RoundEnd::cap},  // round 1: -0.5
  };
  const RoundAdvantages result = round_advantages(credits(chains), std::vector<int64_t>{7, 7, 7}, {.mean_only = true});
  ASSERT_EQ(result.rounds.size(), 2u);
  EXPECT_TRUE(result.rounds[0].groups[0].zero_spread);
  EXPECT_NEAR(result.rounds[1].groups[0].mean, -1.0 / 3, 1e-15);
  for (size_t chain = 0; chain < chains.size(); ++chain) EXPECT_EQ(result.values[chain][0], 0);
  EXPECT_NEAR(result.values[0][1], 5.0 / 6, 1e-15);
  EXPECT_NEAR(result.values[1][1], -2.0 / 3, 1e-15);
  EXPECT_NEAR(result.values[2][1], -1.0 / 6, 1e-15);
}

TEST(RoundAdvantages, EveryPromptAndRoundIsAGroupOfItsOwn) {
  const std::vector<RoundChain> chains = {
      {{0.0, 0.5}, RoundEnd::cap},
      {{0.5}, RoundEnd::cap},  // prompt 1; alone in round 1
      {{1.0, 1.0}, RoundEnd::cap},
      {{0.0, 0.5}, RoundEnd::cap},
  };
  const RoundAdvantages result = round_advantages(credits(chains), std::vector<int64_t>{1, 1, 2, 2}, {.epsilon = 0.25});
  EXPECT_EQ(result.values[0], (std::vector<double>{-0.5, 0}));
  EXPECT_EQ(result.values[1], (std::vector<double>{0.5}));
  EXPECT_NEAR(result.values[2][0], 2.0 / 3, 1e-15);
  EXPECT_EQ(result.values[2][1], -0.5);
  EXPECT_EQ(result.values[3][1], 0.5);
}

TEST(RoundAdvantages, MaskedStagesEnterNothing) {
  const std::vector<RoundChain> chains = {
      {{0.0}, RoundEnd::cap}, {{std::nullopt}, RoundEnd::cap}, {{1.0}, RoundEnd::cap}};
  const RoundAdvantages result = round_advantages(credits(chains), std::vector<int64_t>{0, 0, 0}, {.epsilon = 0});
  EXPECT_EQ(result.values, (std::vector<std::vector<double>>{{-1}, {0}, {1}}));
  EXPECT_EQ(result.masked_stages, 1);
  EXPECT_EQ(result.rounds[0].valid_samples, 2);
}

TEST(RoundAdvantages, WrongInputIsNamed) {
  const RoundChain not_finite{{std::numeric_limits<double>::infinity()}, RoundEnd::cap};
  EXPECT_THROW(round_advantages(credits({not_finite}), std::vector<int64_t>{0}, {}), Error);
  EXPECT_THROW(round_advantages(credits({not_finite}), {}, {}), std::invalid_argument);
  EXPECT_TRUE(round_advantages({}, {}, {}).rounds.empty());
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
