#include "diptych/report/health/health.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "diptych/report/run_data/metric_table.h"
#include "unit/report/series_of.h"

namespace diptych {
namespace {

/** A run as the shapes recipe gives. */
Curves healthy_run() {
  return {{"reward/mean", ramp(200, 0.6, 0.75, 0.05)},
          {"reward/group_std", ramp(200, 0.25, 0.2, 0.02)},
          {"reward/zero_spread_groups", constant(200, 0)},
          {"reward/masked", constant(200, 0)},
          {"eval/correct_explicit", evaluations(0.46, 0.55)},
          {"eval/correct_implicit", evaluations(0.37, 0.68)},
          {"eval/refined_correct", evaluations(0.8, 0.92)},
          {"think/length", ramp(200, 16.8, 16.9, 0.3)},
          {"think/truncated", constant(200, 0)},
          {"think/well_formed", constant(200, 1)},
          {"loss/velocity_mse", ramp(200, 0, 0.08, 0.01)},
          {"loss/text_kl", ramp(200, 0, 0.08, 0.01)},
          {"gate/first_text_ratio", constant(200, 0)},
          {"gate/text_max", constant(200, 3e-6)},
          {"clip/text_above", constant(200, 0)},
          {"clip/text_below", constant(200, 0)},
          {"grad_norm/und", ramp(200, 0.04, 0.05, 0.01)},
          {"update/applied", constant(200, 1)},
          {"update/skipped", constant(200, 0)},
          {"update/changed_share_und", constant(200, 0.75)},
          {"update/below_epsilon_share_und", constant(200, 0.25)},
          {"time/step", ramp(200, 0.8, 0.9, 0.05)}};
}

TEST(HealthTest, AHealthyRunHasNoWarnings) {
  const HealthReport report = check_health(healthy_run(), {});
  for (const Finding& finding : report.findings) ADD_FAILURE() << finding.seen;
  EXPECT_GT(report.checked.size(), 15u);
}

TEST(HealthTest, AlarmsComeFirst) {
  Curves curves = healthy_run();
  curves["time/step"] = series_of(200, [](int64_t step) { return step % 10 == 0 ? 9.0 : 1.0; });
  curves["reward/masked"] = constant(200, 0.01);
  curves["think/well_formed"] = constant(200, 0.5);
  const HealthReport report = check_health(curves, {});
  ASSERT_EQ(report.findings.size(), 3u);
  EXPECT_EQ(report.findings[0].severity, Severity::alarm);
  EXPECT_EQ(report.findings[1].severity, Severity::watch);
}

TEST(HealthTest, RulesWithoutTheirMetricsAreNotToldOf) {
  const HealthReport report = check_health({{"loss/total", ramp(200, 2, 0.1)}}, {});
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(std::count(report.checked.begin(), report.checked.end(), "losses fall"), 1);
  EXPECT_EQ(std::count(report.checked.begin(), report.checked.end(), "the reward rises"), 0);
  EXPECT_TRUE(report.not_checked.empty());
}

TEST(HealthTest, TooFewStepsAreSaid) {
  const HealthReport report = check_health({{"reward/mean", ramp(10, 0.5, 0.5)}}, {});
  EXPECT_TRUE(report.findings.empty());
  EXPECT_EQ(std::count(report.not_checked.begin(), report.not_checked.end(), "the reward rises"), 1);
}

TEST(HealthTest, RulesNeedMetricsThatExist) {
  for (const HealthRule& rule : health_rules()) {
    EXPECT_FALSE(rule.needs.empty()) << rule.checks;
    for (const std::string_view name : rule.needs) EXPECT_NE(metric_meaning(name), "") << name;
  }
}

TEST(HealthTest, NoRuleFailsOnEmptyOrShortSeries) {
  Curves none, one;
  for (const MetricGroup& group : metric_groups())
    for (const MetricMeaning& metric : group.metrics) {
      none[std::string(metric.name)] = {};
      one[std::string(metric.name)] = constant(1, 0.5);
    }
  for (const HealthRule& rule : health_rules())
    for (const Curves* curves : {&none, &one}) EXPECT_NO_THROW(rule.find(*curves, {})) << rule.checks;
}

}  // namespace
}  // namespace diptych
