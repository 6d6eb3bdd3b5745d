#include "diptych/algorithm/advantages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "diptych/base/error.h"

namespace diptych {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

TEST(Advantages, MaskedRewardsMayHoldAnything) {
  const std::vector<int64_t> groups{4, 4, 4, 9, 9};
  const std::vector<bool> valid{true, false, true, false, false};
  const AdvantageOptions options{.std_scope = StdScope::round, .epsilon = 0};
  const Advantages result = group_advantages(std::vector{1.0, kNan, 3.0, 1e300, kNan}, groups, valid, options);
  EXPECT_EQ(result.values, (std::vector{-1.0, 0.0, 1.0, 0.0, 0.0}));
  EXPECT_EQ(result.valid_samples, 2);
  EXPECT_EQ(result.zero_spread_groups, 1);
  ASSERT_EQ(result.groups.size(), 2u);
  EXPECT_EQ(result.groups[0].group, 4);
  EXPECT_EQ(result.groups[0].size, 3);
  EXPECT_EQ(result.groups[0].valid, 2);
  EXPECT_EQ(result.groups[0].mean, 2.0);
  EXPECT_EQ(result.groups[0].std, 1.0);
  EXPECT_FALSE(result.groups[0].zero_spread);
  EXPECT_EQ(result.groups[1].valid, 0);
  EXPECT_TRUE(result.groups[1].zero_spread);
}

TEST(Advantages, EqualRewardsGiveExactlyZeroWithoutEpsilon) {
  // The rounded mean of three times 0.1 is not 0.1, so a computed std would not be 0.
  for (StdScope scope : {StdScope::group, StdScope::round}) {
    const Advantages result = group_advantages(std::vector{0.1, 0.1, 0.1, 0.7}, std::vector<int64_t>{0, 0, 0, 1}, {},
                                               {.std_scope = scope, .epsilon = 0});
    EXPECT_EQ(result.values, (std::vector{0.0, 0.0, 0.0, 0.0}));
    EXPECT_EQ(result.zero_spread_groups, 2);
  }
}

TEST(Advantages, AValidRewardMustBeFinite) {
  EXPECT_THROW(group_advantages(std::vector{1.0, kNan}, std::vector<int64_t>{0, 0}, {}, {}), Error);
}

TEST(Advantages, EmptyRound) {
  const Advantages result = group_advantages({}, {}, {}, {});
  EXPECT_TRUE(result.values.empty() && result.groups.empty());
}

TEST(Advantages, OtherGroupsDoNotMatterWithGroupScope) {
  const std::vector<double> rewards{0.2, 0.9, 0.4, 0.1, 0.3};
  const std::vector<int64_t> groups{1, 0, 1, 0, 1};
  const Advantages together = group_advantages(rewards, groups, {}, {});
  const Advantages alone = group_advantages(std::vector{0.2, 0.4, 0.3}, std::vector<int64_t>{1, 1, 1}, {}, {});
  EXPECT_EQ(together.values[0], alone.values[0]);
  EXPECT_EQ(together.values[2], alone.values[1]);
  EXPECT_EQ(together.values[4], alone.values[2]);
}

TEST(Advantages, ABaselineGivesEqualRewardsASign) {
  const std::vector<int64_t> groups{0, 0, 1, 1};
  const std::vector<double> rewards{0.5, 0.5, 0.2, 0.8};
  const std::vector<double> baselines{0.3, 0.3, 0.2, 0.2};
  const Advantages round =
      baseline_advantages(rewards, baselines, groups, {}, {.std_scope = StdScope::round, .epsilon = 0});
  EXPECT_GT(round.values[0], 0);
  EXPECT_EQ(round.zero_spread_groups, 0);
  const Advantages group = baseline_advantages(rewards, baselines, groups, {}, {.epsilon = 0});
  EXPECT_EQ(group.values[0], 0);
  EXPECT_TRUE(group.groups[0].zero_spread);
}

TEST(Advantages, GdpoFlagsAGroupOnlyIfNoRewardSpreads) {
  const std::vector<std::vector<double>> rewards{{1, 1, 0, 0}, {0, 0, 1, 0}};
  const std::vector<int64_t> groups{0, 0, 1, 1};
  const Advantages result = gdpo_advantages(rewards, std::vector{1.0, 2.0}, groups, {}, {.epsilon = 0, .clamp = 1.5});
  EXPECT_EQ(result.values, (std::vector{0.0, 0.0, 1.5, -1.5}));
  EXPECT_TRUE(result.groups[0].zero_spread);
  EXPECT_FALSE(result.groups[1].zero_spread);
  EXPECT_EQ(result.zero_spread_groups, 1);
}

TEST(Advantages, GdpoDoesNotLookAtARewardOfWeightZero) {
  const double nan = std::nan("");
  const std::vector<std::vector<double>> rewards{{1, 0, 2, 2}, {nan, 3, 5, 7}};
  const std::vector<int64_t> groups{0, 0, 1, 1};
  const Advantages result = gdpo_advantages(rewards, std::vector{1.0, 0.0}, groups, {}, {.epsilon = 0});
  EXPECT_EQ(result.values, (std::vector{1.0, -1.0, 0.0, 0.0}));
  EXPECT_FALSE(result.groups[0].zero_spread);
  EXPECT_TRUE(result.groups[1].zero_spread) << "only the reward without a say spreads";
  EXPECT_EQ(result.zero_spread_groups, 1);
}

TEST(Advantages, GdpoFlagsAGroupWhoseRewardsCancelOut) {
  const std::vector<std::vector<double>> rewards{{1, 0}, {1, 0}};
  const Advantages result =
      gdpo_advantages(rewards, std::vector{1.0, -1.0}, std::vector<int64_t>{0, 0}, {}, {.epsilon = 0});
  EXPECT_EQ(result.values, (std::vector{0.0, 0.0}));
  EXPECT_TRUE(result.groups[0].zero_spread);
}

TEST(Advantages, RewardsOfAnySizeMakeFiniteAdvantages) {
  const std::vector<int64_t> groups{0, 0};
  for (const double scale : {1e-320, 1e-200, 1e-150, 1e100}) {
    const Advantages result = group_advantages(std::vector{0.0, scale}, groups, {}, {.epsilon = 0});
    for (const double value : result.values) EXPECT_TRUE(value == 0 || std::abs(std::abs(value) - 1) < 1e-6) << scale;
  }
  EXPECT_THROW(group_advantages(std::vector{0.0, 1e200}, groups, {}, {}), Error);
}

TEST(Advantages, ZscoreLeavesInvalidSamplesOut) {
  const std::vector<double> scores = round_zscore(std::vector{1.0, 50.0, 3.0}, {true, false, true}, 0);
  EXPECT_EQ(scores, (std::vector{-1.0, 0.0, 1.0}));
}

TEST(Advantages, ListsOfDifferentLengthAreErrors) {
  EXPECT_ANY_THROW(group_advantages(std::vector{1.0}, std::vector<int64_t>{0, 0}, {}, {}));
  EXPECT_ANY_THROW(group_advantages(std::vector{1.0}, std::vector<int64_t>{0}, {true, true}, {}));
}

}  // namespace
}  // namespace diptych
