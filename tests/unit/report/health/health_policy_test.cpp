#include "diptych/report/health/health_policy.h"

#include <gtest/gtest.h>

#include "unit/report/expect_finding.h"
#include "unit/report/series_of.h"

namespace diptych {
namespace {

/** A series of zeros with one other value. */
Series zeros_but(int64_t steps, size_t place, double value) {
  Series series = constant(steps, 0);
  series.values[place] = value;
  return series;
}

const RecipeValues kPolicyRecipe = {{"train.gate_text", "0.05"},
                                    {"train.gate_image", "0.5"},
                                    {"train.mini_batches", "2"},
                                    {"train.epochs", "1"},
                                    {"optimizer.max_grad_norm", "1.0"}};
const RecipeValues kOneUpdate = {{"train.mini_batches", "1"}, {"train.epochs", "1"}};

TEST(HealthPolicyTest, FirstRatio) {
  expect_finding(first_ratio({{"gate/first_text_ratio", zeros_but(10, 0, 5e-5)}}, kPolicyRecipe), Severity::alarm,
                 {"text ratio was not 1", "5e-5"});
  expect_finding(first_ratio({{"gate/first_image_ratio", zeros_but(10, 3, 0.04)}}, kPolicyRecipe), Severity::alarm,
                 {"image ratio"});
  EXPECT_TRUE(first_ratio({{"gate/first_text_ratio", constant(10, 0)}}, kPolicyRecipe).empty());
  EXPECT_TRUE(first_ratio({{"gate/first_text_ratio", constant(10, 1e-7)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, GateMargin) {
  expect_finding(gate_margin({{"gate/text_max", zeros_but(10, 5, 0.03)}}, kPolicyRecipe), Severity::watch,
                 {"gate/text_max", "0.03", "0.05"});
  EXPECT_TRUE(
      gate_margin({{"gate/text_max", constant(10, 1e-5)}, {"gate/image_max", constant(10, 4e-5)}}, kPolicyRecipe)
          .empty());
  EXPECT_TRUE(gate_margin({{"gate/text_max", zeros_but(10, 5, 0.03)}}, {{"train.gate_text", "0.5"}}).empty())
      << "another tolerance";
}

TEST(HealthPolicyTest, MuchClipping) {
  expect_finding(
      much_clipping({{"clip/text_above", constant(10, 0.2)}, {"clip/text_below", constant(10, 0.2)}}, kPolicyRecipe),
      Severity::watch, {"40.0 %", "text"});
  expect_finding(
      much_clipping({{"clip/image_above", constant(10, 0.5)}, {"clip/image_below", constant(10, 0.5)}}, kPolicyRecipe),
      Severity::watch, {"image"});
  EXPECT_TRUE(
      much_clipping({{"clip/image_above", constant(10, 0.2)}, {"clip/image_below", constant(10, 0.2)}}, kPolicyRecipe)
          .empty());
}

TEST(HealthPolicyTest, IdleClip) {
  const Curves idle = {{"clip/text_above", constant(10, 0)}, {"clip/text_below", constant(10, 0)}};
  expect_finding(idle_clip(idle, kPolicyRecipe), Severity::watch, {"no text ratio"});
  EXPECT_TRUE(idle_clip(idle, kOneUpdate).empty()) << "with one update the ratio is 1";
  EXPECT_TRUE(
      idle_clip({{"clip/text_above", zeros_but(10, 2, 0.1)}, {"clip/text_below", constant(10, 0)}}, kPolicyRecipe)
          .empty());
}

TEST(HealthPolicyTest, FarRatio) {
  expect_finding(far_ratio({{"ratio/text_max_abs_log", constant(10, 2)}}, kPolicyRecipe), Severity::watch, {"7.39"});
  EXPECT_TRUE(far_ratio({{"ratio/text_max_abs_log", constant(10, 0.2)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, TextDrift) {
  expect_finding(text_drift({{"loss/text_kl", ramp(100, 0, 2)}}, kPolicyRecipe), Severity::alarm, {"1.9"});
  const Series late_growth = series_of(100, [](int64_t step) { return step < 70 ? 0.05 : 0.5; });
  expect_finding(text_drift({{"loss/text_kl", late_growth}}, kPolicyRecipe), Severity::watch, {"from 0.05"});
  EXPECT_TRUE(text_drift({{"loss/text_kl", ramp(100, 0, 0.08)}}, kPolicyRecipe).empty());
  EXPECT_TRUE(text_drift({}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, ImageDrift) {
  const Series blow_up = series_of(100, [](int64_t step) { return step < 70 ? 0.06 : 0.9; });
  expect_finding(image_drift({{"loss/velocity_mse", blow_up}}, kPolicyRecipe), Severity::alarm, {"0.06", "0.9"});
  EXPECT_TRUE(
      image_drift({{"loss/velocity_mse", ramp(100, 0, 0.09)}, {"loss/latent_kl", ramp(100, 0, 0.01)}}, kPolicyRecipe)
          .empty());
}

TEST(HealthPolicyTest, SkippedUpdates) {
  expect_finding(skipped_updates({{"update/skipped", zeros_but(10, 4, 1)}}, kPolicyRecipe), Severity::alarm,
                 {"1 update was", "step 5"});
  EXPECT_TRUE(skipped_updates({{"update/skipped", constant(10, 0)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, IdleUpdates) {
  expect_finding(idle_updates({{"update/applied", constant(10, 0)}}, kPolicyRecipe), Severity::alarm, {"100.0 %"});
  const Series half = series_of(10, [](int64_t step) { return static_cast<double>(step % 2); });
  expect_finding(idle_updates({{"update/applied", half}}, kPolicyRecipe), Severity::watch, {"50.0 %"});
  EXPECT_TRUE(idle_updates({{"update/applied", constant(10, 1)}}, kPolicyRecipe).empty());
  EXPECT_TRUE(idle_updates({}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, GradientSpikes) {
  const Series spikes = series_of(100, [](int64_t step) { return step % 25 == 0 ? 2.0 : 0.05; });
  expect_finding(gradient_spikes({{"grad_norm/und", spikes}}, kPolicyRecipe), Severity::watch,
                 {"understanding expert", "4 steps", "up to 2"});
  Series once = constant(100, 0.05);
  once.values[50] = 2;
  EXPECT_TRUE(gradient_spikes({{"grad_norm/und", once}}, kPolicyRecipe).empty()) << "single steps are ordinary";
  EXPECT_TRUE(gradient_spikes({{"grad_norm/und", ramp(100, 0.05, 0.2)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, ClippedGradients) {
  expect_finding(clipped_gradients({{"grad_norm/all", constant(10, 3)}}, kPolicyRecipe), Severity::watch, {"100.0 %"});
  EXPECT_TRUE(clipped_gradients({{"grad_norm/all", constant(10, 3)}}, {{"optimizer.max_grad_norm", "0"}}).empty())
      << "no clipping";
  EXPECT_TRUE(clipped_gradients({{"grad_norm/all", constant(10, 0.3)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, NoGradient) {
  expect_finding(no_gradient({{"grad_norm/gen", constant(10, 0)}, {"grad_norm/und", constant(10, 1)}}, kPolicyRecipe),
                 Severity::alarm, {"generation expert is 0"});
  EXPECT_TRUE(no_gradient({{"grad_norm/gen", constant(10, 0.1)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, BelowEpsilon) {
  expect_finding(below_epsilon({{"update/below_epsilon_share_gen", constant(10, 0.9)}}, kPolicyRecipe), Severity::watch,
                 {"90.0 %", "generation"});
  EXPECT_TRUE(below_epsilon({{"update/below_epsilon_share_und", constant(10, 0.25)}}, kPolicyRecipe).empty());
}

TEST(HealthPolicyTest, UnchangedWeights) {
  expect_finding(unchanged_weights({{"update/changed_share_und", constant(10, 0.02)}}, kPolicyRecipe), Severity::alarm,
                 {"2.0 %", "understanding"});
  const Series decayed = series_of(100, [](int64_t step) { return step < 90 ? 1.0 : 0.01; });
  EXPECT_TRUE(unchanged_weights({{"update/changed_share_und", decayed}}, kPolicyRecipe).empty())
      << "the end of the decay is ordinary";
}

TEST(HealthPolicyTest, NotFinite) {
  Series broken = constant(10, 1);
  broken.not_finite = {7, 9};
  expect_finding(not_finite({{"grad_norm", broken}, {"reward/mean", constant(10, 1)}}, kPolicyRecipe), Severity::alarm,
                 {"`grad_norm`", "2 steps", "step 7"});
}

TEST(HealthPolicyTest, SlowSteps) {
  const Series jumping = series_of(100, [](int64_t step) { return step % 10 == 0 ? 9.0 : 1.0; });
  expect_finding(slow_steps({{"time/step", jumping}}, kPolicyRecipe), Severity::watch, {"10.0 %"});
  EXPECT_TRUE(slow_steps({{"time/step", ramp(100, 1, 2)}}, kPolicyRecipe).empty());
  EXPECT_TRUE(slow_steps({}, kPolicyRecipe).empty());
}

}  // namespace
}  // namespace diptych
