#include "diptych/tensor/torch.h"

#include "diptych/train/update/joint_loss.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "unit/train/joint_stages.h"

namespace diptych {
namespace {

TEST(JointLossTest, MicroBatchesAddUpToTheBatch) {
  for (const TokenAggregation aggregation : {TokenAggregation::sequence_mean, TokenAggregation::token_mean}) {
    JointStages made = make_stages();
    LossOptions options = all_parts();
    options.aggregation = aggregation;
    const JointLoss whole = loss_of(made, kAll, options);
    whole.total.backward();
    std::vector<Tensor> gradients;
    for (const Tensor& leaf : made.logprobs) gradients.push_back(leaf.grad());
    for (const Tensor& leaf : made.velocities) gradients.push_back(leaf.grad());
    made.clear_gradients();

    JointLoss sum;
    double total = 0;
    for (const std::vector<size_t>& part : std::vector<std::vector<size_t>>{{4}, {0, 3, 5}, {2, 1}}) {
      const JointLoss loss = loss_of(made, part, options);
      loss.total.backward();
      total += loss.total.item<double>();
      sum.terms.at("text").loss += loss.terms.at("text").loss;
      sum.terms.at("image").loss += loss.terms.at("image").loss;
      sum.terms.at("velocity_mse").loss += loss.terms.at("velocity_mse").loss;
      sum.terms.at("latent_kl").loss += loss.terms.at("latent_kl").loss;
      sum.terms.at("text_kl").loss += loss.terms.at("text_kl").loss;
      merge_ratios(sum.terms.at("text").ratios, loss.terms.at("text").ratios);
      merge_ratios(sum.terms.at("image").ratios, loss.terms.at("image").ratios);
    }
    EXPECT_NEAR(total, whole.total.item<double>(), 1e-13);
    EXPECT_NEAR(sum.terms.at("text").loss, whole.terms.at("text").loss, 1e-13);
    EXPECT_NEAR(sum.terms.at("image").loss, whole.terms.at("image").loss, 1e-13);
    EXPECT_NEAR(sum.terms.at("velocity_mse").loss, whole.terms.at("velocity_mse").loss, 1e-15);
    EXPECT_NEAR(sum.terms.at("latent_kl").loss, whole.terms.at("latent_kl").loss, 1e-15);
    EXPECT_NEAR(sum.terms.at("text_kl").loss, whole.terms.at("text_kl").loss, 1e-15);
    for (const auto& [part, batch] : {std::pair{sum.terms.at("text").ratios, whole.terms.at("text").ratios},
                                      std::pair{sum.terms.at("image").ratios, whole.terms.at("image").ratios}}) {
      EXPECT_EQ(part.count, batch.count);
      EXPECT_TRUE(close(part.ratio_mean, batch.ratio_mean, {.normalised = 1e-14}));
      EXPECT_TRUE(close(part.max_abs_log_ratio, batch.max_abs_log_ratio, {}));
      EXPECT_TRUE(close(part.fraction_above, batch.fraction_above, {.absolute = 1e-14}));
      EXPECT_TRUE(close(part.fraction_below, batch.fraction_below, {.absolute = 1e-14}));
    }
    for (size_t c = 0; c < kStages; ++c) {
      EXPECT_TRUE(close(made.logprobs[c].grad(), gradients[c], {.normalised = 1e-13, .absolute = 1e-18}));
      EXPECT_TRUE(close(made.velocities[c].grad(), gradients[kStages + c], {.normalised = 1e-13, .absolute = 1e-18}));
    }
  }
}

/** The definitions of the paper, term by term, with log-probabilities in float64. */
struct Terms {
  double text = 0, image = 0, velocity_mse = 0, latent_kl = 0, text_kl = 0;
};

double clipped(double ratio, double advantage, const ClipRange& clip) {
  return std::max(-advantage * ratio, -advantage * std::clamp(ratio, 1 - clip.low, 1 + clip.high));
}

Terms naive(const JointStages& made, const LossOptions& options) {
  Terms terms;
  for (size_t c = 0; c < kStages; ++c) {
    const Stage& stage = made.rollout.stages[c];
    const double advantage = made.advantages[c];
    const int64_t length = made.logprobs[c].size(0);
    for (int64_t k = 0; k < length; ++k) {
      const double now = made.logprobs[c][k].item<double>();
      const double share = 1.0 / static_cast<double>(length * kStages);
      const double ratio = std::exp(now - made.old[c].logprobs[k].item<double>());
      const double d = made.reference[c].logprobs[k].item<double>() - now;
      terms.text += share * clipped(ratio, advantage, options.text_clip);
      terms.text_kl += share * (std::exp(d) - d - 1);
    }
    for (int64_t k = 0; k < kWindow; ++k) {
      const StepCoefficients step = sde_coefficients(made.rollout.schedule.grid, k, 0.8);
      const auto mean_of = [&](const Tensor& velocity) { return step_mean(stage.image->states[k], velocity[k], step); };
      const auto logprob = [&](const Tensor& mean) {
        return gaussian_logprob(stage.image->nexts[k].unsqueeze(0), mean.unsqueeze(0), step.std).item<double>();
      };
      const Tensor mean = mean_of(made.velocities[c]), before = mean_of(made.old[c].velocities);
      double log_ratio = logprob(mean) - logprob(before);
      if (options.ratio_norm)
        log_ratio = step.std * (log_ratio + (mean - before).square().mean().item<double>() / (2 * step.std * step.std));
      const double share = 1.0 / (kStages * kWindow);
      terms.image += share * clipped(std::exp(log_ratio), advantage, options.image_clip);
      terms.velocity_mse +=
          share * (made.velocities[c][k] - made.reference[c].velocities[k]).square().mean().item<double>();
      terms.latent_kl += share * (mean - mean_of(made.reference[c].velocities)).square().mean().item<double>() /
                         (2 * step.std * step.std);
    }
  }
  return terms;
}

TEST(JointLossTest, EveryTermMatchesItsDefinition) {
  for (const bool ratio_norm : {true, false}) {
    const JointStages made = make_stages();
    LossOptions options = all_parts();
    options.ratio_norm = ratio_norm;
    const JointLoss loss = loss_of(made, kAll, options);
    const Terms terms = naive(made, options);
    EXPECT_NEAR(loss.terms.at("text").loss, terms.text, 1e-13);
    EXPECT_NEAR(loss.terms.at("image").loss, terms.image, 1e-12);
    EXPECT_NEAR(loss.terms.at("velocity_mse").loss, terms.velocity_mse, 1e-14);
    EXPECT_NEAR(loss.terms.at("latent_kl").loss, terms.latent_kl, 1e-13);
    EXPECT_NEAR(loss.terms.at("text_kl").loss, terms.text_kl, 1e-14);
    EXPECT_NEAR(
        loss.total.item<double>(),
        0.9 * terms.text + 1.1 * terms.image + 0.3 * terms.velocity_mse + 0.2 * terms.latent_kl + 0.4 * terms.text_kl,
        1e-12);
    // Some ratios lie outside the clip range, some inside.
    for (const RatioStatistics& ratios : {loss.terms.at("text").ratios, loss.terms.at("image").ratios}) {
      const double outside = (ratios.fraction_above + ratios.fraction_below).item<double>();
      EXPECT_GT(outside, 0);
      EXPECT_LT(outside, 1);
    }
  }
}

TEST(JointLossTest, ZeroAdvantagesGiveNoPolicyGradient) {
  JointStages made = make_stages();
  made.advantages.assign(kStages, 0);
  LossOptions options = all_parts();
  options.velocity_mse_weight = options.latent_kl_weight = options.text_kl_weight = 0;
  const JointLoss loss = loss_of(made, kAll, options);
  EXPECT_EQ(loss.total.item<double>(), 0);
  loss.total.backward();
  for (size_t c = 0; c < kStages; ++c) {
    EXPECT_EQ(made.logprobs[c].grad().abs().max().item<double>(), 0);
    EXPECT_EQ(made.velocities[c].grad().abs().max().item<double>(), 0);
  }
}

TEST(JointLossTest, AtTheOldPolicyTheGradientIsThatOfTheLogProbability) {
  JointStages made = make_stages();
  for (size_t c = 0; c < kStages; ++c) {
    made.logprobs[c] = made.old[c].logprobs.clone().requires_grad_();
    made.velocities[c] = made.old[c].velocities.clone().requires_grad_();
  }
  LossOptions options;
  options.ratio_norm = false;
  const JointLoss loss =
      joint_loss({made.rollout, kAll, made.now(kAll), made.old, {}, made.advantages}, options, made.denominators);
  EXPECT_EQ(loss.terms.at("text").ratios.max_abs_log_ratio.item<double>(), 0);
  EXPECT_EQ(loss.terms.at("image").ratios.max_abs_log_ratio.item<double>(), 0);
  loss.total.backward();
  for (size_t c = 0; c < kStages; ++c) {
    const Stage& stage = made.rollout.stages[c];
    const double length = static_cast<double>(made.logprobs[c].size(0));
    EXPECT_TRUE(close(made.logprobs[c].grad(),
                      at::full_like(made.logprobs[c], -made.advantages[c] / (kStages * length)),
                      {.normalised = 1e-12}));
    for (int64_t k = 0; k < kWindow; ++k) {
      const StepCoefficients step = sde_coefficients(made.rollout.schedule.grid, k, 0.8);
      const Tensor velocity = made.old[c].velocities[k].clone().requires_grad_();
      const Tensor mean = step_mean(stage.image->states[k], velocity, step);
      const Tensor logprob = gaussian_logprob(stage.image->nexts[k].unsqueeze(0), mean.unsqueeze(0), step.std);
      (logprob.sum() * (-made.advantages[c] / (kStages * kWindow))).backward();
      EXPECT_TRUE(close(made.velocities[c].grad()[k], velocity.grad(), {.normalised = 1e-11}));
    }
  }
}

TEST(JointLossTest, InverseDtWeighsThePolicyButNotThePenalties) {
  const JointStages made = make_stages();
  LossOptions options = all_parts();
  const JointLoss plain = loss_of(made, kAll, options);
  options.inverse_dt = true;
  const JointLoss weighted = loss_of(made, kAll, options);
  EXPECT_NE(weighted.terms.at("image").loss, plain.terms.at("image").loss);
  EXPECT_EQ(weighted.terms.at("velocity_mse").loss, plain.terms.at("velocity_mse").loss);
  EXPECT_EQ(weighted.terms.at("latent_kl").loss, plain.terms.at("latent_kl").loss);
  EXPECT_EQ(weighted.terms.at("text").loss, plain.terms.at("text").loss);
}

TEST(JointLossTest, OnePartAloneIsThatPartOfTheWhole) {
  const JointStages made = make_stages();
  const LossOptions options = all_parts();
  const JointLoss whole = loss_of(made, kAll, options);
  const auto only = [&](bool text, bool image) {
    return joint_loss({made.rollout, kAll, made.now(kAll, text, image), made.old, made.reference, made.advantages},
                      options, made.denominators);
  };
  const JointLoss text = only(true, false), image = only(false, true);
  EXPECT_EQ(text.terms.at("text").loss, whole.terms.at("text").loss);
  EXPECT_EQ(text.terms.at("image").loss, 0);
  EXPECT_EQ(text.terms.at("image").ratios.count, 0);
  EXPECT_EQ(image.terms.at("image").loss, whole.terms.at("image").loss);
  EXPECT_EQ(image.terms.at("text").loss, 0);
  EXPECT_NEAR((text.total + image.total).item<double>(), whole.total.item<double>(), 1e-14);
}

TEST(JointLossTest, NonFiniteInputsMakeTheLossNonFinite) {
  JointStages made = make_stages();
  made.advantages[3] = std::nan("");
  EXPECT_FALSE(std::isfinite(loss_of(made, kAll, all_parts()).total.item<double>()));
  made = make_stages();
  made.rollout.stages[1].image->nexts[0][2][1] = std::nan("");
  EXPECT_FALSE(std::isfinite(loss_of(made, kAll, all_parts()).total.item<double>()));
}

TEST(StageValuesTest, DealsTheRowsToTheirStages) {
  JointStages made = make_stages();
  made.rollout.stages[3].text.reset();
  const std::vector<size_t> stages = {2, 3, 0};
  ReplayOutput output = made.now(stages);
  output.logprobs = at::cat({made.logprobs[2], made.logprobs[0]});
  const std::vector<StageValues> values = stage_values(made.rollout, stages, output);
  EXPECT_TRUE(same_bits(values[0].logprobs, made.logprobs[2]));
  EXPECT_FALSE(values[1].logprobs.defined());
  EXPECT_TRUE(same_bits(values[2].logprobs, made.logprobs[0]));
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(same_bits(values[i].velocities, made.velocities[stages[i]]));
    EXPECT_FALSE(values[i].velocities.requires_grad());
  }
}

TEST(WindowGainsTest, AreTheFactorsOfTheVelocity) {
  const DenoiseSchedule schedule{.grid = timestep_grid(6, 2), .noise_level = 0.8, .window_begin = 2, .window_size = 3};
  const std::vector<double> gains = window_gains(schedule);
  ASSERT_EQ(gains.size(), 3u);
  for (int64_t k = 0; k < 3; ++k) EXPECT_EQ(gains[k], sde_coefficients(schedule.grid, 2 + k, 0.8).v);
}

}  // namespace
}  // namespace diptych
