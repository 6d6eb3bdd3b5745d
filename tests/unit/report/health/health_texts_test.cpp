#include "diptych/report/health/health_texts.h"

#include <gtest/gtest.h>

#include "unit/report/expect_finding.h"
#include "unit/report/series_of.h"

namespace diptych {
namespace {

TEST(HealthTextsTest, ShorterTexts) {
  expect_finding(shorter_texts({{"think/length", ramp(100, 17, 4)}}, {}), Severity::alarm, {"thoughts shrank"});
  expect_finding(shorter_texts({{"reflection/length", ramp(100, 35, 5)}}, {}), Severity::alarm, {"reflections"});
  EXPECT_TRUE(shorter_texts({{"think/length", ramp(100, 17, 16)}}, {}).empty());
}

TEST(HealthTextsTest, LongerTexts) {
  expect_finding(longer_texts({{"think/length", ramp(100, 17, 35)}}, {}), Severity::watch, {"grew"});
  expect_finding(longer_texts({{"think/length", ramp(100, 17, 40)}, {"think/truncated", ramp(100, 0, 0.5)}}, {}),
                 Severity::alarm, {"were cut"});
  EXPECT_TRUE(
      longer_texts({{"think/length", ramp(100, 17, 18)}, {"think/truncated", constant(100, 0.02)}}, {}).empty());
}

TEST(HealthTextsTest, LostForm) {
  expect_finding(lost_form({{"think/well_formed", ramp(100, 1, 0.5)}}, {}), Severity::alarm, {"thoughts"});
  EXPECT_TRUE(lost_form({{"think/well_formed", constant(100, 0.99)}}, {}).empty());
}

TEST(HealthTextsTest, WrongThoughts) {
  expect_finding(wrong_thoughts({{"eval/refined_correct", evaluations(0.8, 0.6)}}, {}), Severity::alarm,
                 {"0.8", "0.6"});
  EXPECT_TRUE(wrong_thoughts({{"eval/refined_correct", evaluations(0.8, 0.79)}}, {}).empty());
  EXPECT_TRUE(wrong_thoughts({}, {}).empty());
}

TEST(HealthTextsTest, SpoilingRefinement) {
  expect_finding(
      spoiling_refinement({{"refine/improved", constant(20, 0.3)}, {"refine/worsened", constant(20, 0.6)}}, {}),
      Severity::alarm, {"60.0 %", "30.0 %"});
  expect_finding(
      spoiling_refinement({{"rounds/first_score", constant(20, 0.7)}, {"rounds/last_score", constant(20, 0.6)}}, {}),
      Severity::alarm, {"0.7", "0.6"});
  expect_finding(
      spoiling_refinement(
          {{"eval/refine/before", evaluations(0.4, 0.45)}, {"eval/refine/after", evaluations(0.5, 0.4)}}, {}),
      Severity::alarm, {"45.0 %", "40.0 %"});
  EXPECT_TRUE(spoiling_refinement({{"refine/improved", constant(20, 0.7)}, {"refine/worsened", constant(20, 0.2)}}, {})
                  .empty());
  EXPECT_TRUE(spoiling_refinement({}, {}).empty());
}

TEST(HealthTextsTest, FailingRefinement) {
  expect_finding(failing_refinement({{"refine/improved", constant(20, 0.1)}}, {}), Severity::watch, {"10.0 %"});
  EXPECT_TRUE(failing_refinement({{"refine/improved", constant(20, 0.7)}}, {}).empty());
  EXPECT_TRUE(failing_refinement({}, {}).empty());
}

TEST(HealthTextsTest, FalseStops) {
  expect_finding(false_stops({{"rounds/stops", constant(20, 10)}, {"rounds/false_stops", constant(20, 8)}}, {}),
                 Severity::watch, {"80.0 %"});
  EXPECT_TRUE(false_stops({{"rounds/stops", constant(20, 10)}, {"rounds/false_stops", constant(20, 2)}}, {}).empty());
  EXPECT_TRUE(false_stops({{"rounds/stops", constant(20, 1)}, {"rounds/false_stops", constant(20, 1)}}, {}).empty())
      << "too few to say";
}

TEST(HealthTextsTest, OneSidedStops) {
  const RecipeValues rounds = {{"rollout.episode", "rounds:2"}};
  expect_finding(one_sided_stops({{"rounds/refinements", constant(20, 0)}}, rounds), Severity::watch, {"stops at the"});
  expect_finding(one_sided_stops({{"rounds/refinements", constant(20, 2)}}, rounds), Severity::watch, {"never stops"});
  EXPECT_TRUE(one_sided_stops({{"rounds/refinements", constant(20, 1.2)}}, rounds).empty());
  EXPECT_TRUE(one_sided_stops({{"rounds/refinements", constant(20, 0)}}, {{"rollout.episode", "think"}}).empty());
}

}  // namespace
}  // namespace diptych
