#include "diptych/reward/judge_check/agreement_statistics.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(BalancedAccuracy, IsTheMeanOfBothShares) {
  // Right on 3 of 4 that are true and on 1 of 2 that are false.
  EXPECT_EQ(balanced_accuracy({0.9, 0.6, 0.51, 0.5, 0.2, 0.8}, {true, true, true, true, false, false}),
            std::optional(0.625));
  EXPECT_EQ(balanced_accuracy({0.9, 0.9}, {true, true}), std::nullopt);
  EXPECT_EQ(balanced_accuracy({}, {}), std::nullopt);
}

TEST(AreaUnderCurve, CountsOrderedPairsAndHalvesTies) {
  // Pairs (true, false): .8 > .3, .8 > .4, .4 > .3, .4 = .4.
  EXPECT_EQ(area_under_curve({0.8, 0.4, 0.3, 0.4}, {true, true, false, false}), std::optional(0.875));
  EXPECT_EQ(area_under_curve({0.1, 0.9}, {true, false}), std::optional(0.0));
  EXPECT_EQ(area_under_curve({0.7, 0.7, 0.7}, {true, false, false}), std::optional(0.5));
  EXPECT_EQ(area_under_curve({0.7}, {false}), std::nullopt);
}

TEST(CalibrationError, WeighsTheGapOfEveryBin) {
  // Bin [.9, 1]: mean .95, share 1, 2 of 4. Bin [.2, .3): mean .25, share .5, 2 of 4.
  EXPECT_NEAR(calibration_error({0.9, 1.0, 0.2, 0.299999}, {true, true, true, false}), 0.5 * 0.05 + 0.5 * 0.25, 1e-5);
  EXPECT_DOUBLE_EQ(calibration_error({1, 0}, {true, false}), 0);
  EXPECT_DOUBLE_EQ(calibration_error({1, 0}, {false, true}), 1);
  EXPECT_DOUBLE_EQ(calibration_error({}, {}), 0);
}

TEST(RankCorrelation, OfOrdersOppositesAndTies) {
  EXPECT_EQ(rank_correlation({1, 2, 30}, {0.1, 0.2, 0.3}), std::optional(1.0));
  EXPECT_EQ(rank_correlation({1, 2, 30}, {3, 2, 1}), std::optional(-1.0));
  // Ranks 1, 2.5, 2.5, 4 and 1, 3, 2, 4: scipy.stats.spearmanr gives 0.9486832980505138.
  EXPECT_NEAR(rank_correlation({1, 5, 5, 9}, {1, 3, 2, 4}).value(), 0.9486832980505138, 1e-12);
  EXPECT_EQ(rank_correlation({1, 1, 1}, {1, 2, 3}), std::nullopt);
  EXPECT_EQ(rank_correlation({1}, {1}), std::nullopt);
}

}  // namespace
}  // namespace diptych
