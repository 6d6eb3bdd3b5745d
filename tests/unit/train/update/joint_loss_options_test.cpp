// Variants of the joint loss: sequence ratios, limits of the advantages, stages without a picture or a text.
#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "support/compare.h"
#include "unit/train/joint_stages.h"

namespace diptych {
namespace {

TEST(JointLossOptionsTest, SequenceRatiosAreThoseOfGspo) {
  JointStages made = make_stages();
  LossOptions options;
  options.sequence_ratio = true;
  options.text_weight = 0.9;
  options.text_clip = {0.01, 0.02};
  const JointLoss loss = joint_loss({made.rollout, kAll, made.now(kAll, true, false), made.old, {}, made.advantages},
                                    options, made.denominators);
  loss.total.backward();
  std::vector<Tensor> gradients;
  for (const Tensor& leaf : made.logprobs) gradients.push_back(leaf.grad());
  made.clear_gradients();

  std::vector<Tensor> old;
  std::vector<int64_t> lengths;
  for (size_t c = 0; c < kStages; ++c) {
    old.push_back(made.old[c].logprobs);
    lengths.push_back(old.back().size(0));
  }
  const Tensor advantages = at::tensor(made.advantages, at::kDouble);
  const PolicyLoss expected =
      sequence_policy_loss(at::cat(made.logprobs), at::cat(old), lengths, advantages,
                           at::full_like(advantages, 1.0 / static_cast<double>(kStages)), options.text_clip);
  EXPECT_EQ(loss.terms.at("text").loss, expected.loss.item<double>());
  EXPECT_EQ(loss.terms.at("text").ratios.count, kStages);
  EXPECT_TRUE(same_bits(loss.terms.at("text").ratios.max_abs_log_ratio, expected.ratios.max_abs_log_ratio));
  (0.9 * expected.loss).backward();
  for (size_t c = 0; c < kStages; ++c)
    EXPECT_TRUE(close(gradients[c], made.logprobs[c].grad(), {.normalised = 1e-14, .absolute = 1e-18})) << c;
}

TEST(JointLossOptionsTest, SequenceRatiosOfMicroBatchesAddUp) {
  const JointStages made = make_stages();
  LossOptions options = all_parts();
  options.sequence_ratio = true;
  double total = 0;
  for (const std::vector<size_t>& part : std::vector<std::vector<size_t>>{{4}, {0, 3, 5}, {2, 1}})
    total += loss_of(made, part, options).total.item<double>();
  EXPECT_NEAR(total, loss_of(made, kAll, options).total.item<double>(), 1e-13);
}

TEST(JointLossOptionsTest, EachLossHasALimitOfItsOwn) {
  JointStages made = make_stages();
  made.advantages = {9, -9, 0.5, 3, -0.25, -4};
  const auto loss_with = [&](double text_clamp, double image_clamp, const std::vector<double>& advantages) {
    LossOptions options = all_parts();
    options.text_advantage_clamp = text_clamp;
    options.image_advantage_clamp = image_clamp;
    JointStages other = made;
    other.advantages = advantages;
    return loss_of(other, kAll, options);
  };
  const std::vector<double> at_two = {2, -2, 0.5, 2, -0.25, -2};
  const JointLoss free = loss_with(0, 0, made.advantages);
  const JointLoss clamped = loss_with(0, 0, at_two);
  const JointLoss text = loss_with(2, 0, made.advantages), image = loss_with(0, 2, made.advantages);
  EXPECT_NE(free.terms.at("text").loss, clamped.terms.at("text").loss);
  EXPECT_NE(free.terms.at("image").loss, clamped.terms.at("image").loss);
  EXPECT_EQ(text.terms.at("text").loss, clamped.terms.at("text").loss);
  EXPECT_EQ(text.terms.at("image").loss, free.terms.at("image").loss);
  EXPECT_EQ(image.terms.at("image").loss, clamped.terms.at("image").loss);
  EXPECT_EQ(image.terms.at("text").loss, free.terms.at("text").loss);
  EXPECT_EQ(loss_with(9, 9, made.advantages).total.item<double>(), free.total.item<double>());
}

/** Steps without noise have no log-ratios and no KL, so only what needs neither may be computed. */
TEST(JointLossOptionsTest, WithoutNoiseTextsAndTheVelocityPenaltyTrain) {
  JointStages made = make_stages();
  made.rollout.schedule.noise_level = 0;
  LossOptions options = all_parts();
  options.image_weight = options.latent_kl_weight = 0;
  const JointLoss loss = loss_of(made, kAll, options);
  const JointStages noisy = make_stages();
  const JointLoss expected = loss_of(noisy, kAll, options);
  EXPECT_TRUE(same_bits(loss.total, expected.total));
  EXPECT_TRUE(std::isfinite(loss.total.item<double>()));
  EXPECT_EQ(loss.terms.at("velocity_mse").loss, expected.terms.at("velocity_mse").loss);
  EXPECT_EQ(loss.terms.at("latent_kl").loss, 0);
  EXPECT_GT(expected.terms.at("latent_kl").loss, 0) << "measured where there is noise, whatever its weight";
  EXPECT_EQ(loss.terms.at("image").ratios.count, 0);
  loss.total.backward();
  for (size_t c = 0; c < kStages; ++c) {
    EXPECT_GT(made.logprobs[c].grad().norm().item<double>(), 0);
    EXPECT_TRUE(std::isfinite(made.velocities[c].grad().norm().item<double>()));
    EXPECT_GT(made.velocities[c].grad().norm().item<double>(), 0);
  }
}

/** 0 times infinity would be NaN. */
TEST(JointLossOptionsTest, APolicyWithoutAWeightIsNotComputed) {
  JointStages made = make_stages();
  for (StageValues& values : made.old) {
    values.logprobs = at::full_like(values.logprobs, -1e6);
    values.velocities = values.velocities * 1e200;
  }
  LossOptions options = all_parts();
  options.image_weight = options.text_weight = 0;
  const JointLoss loss = loss_of(made, kAll, options);
  EXPECT_TRUE(std::isfinite(loss.total.item<double>()));
  EXPECT_GT(loss.total.item<double>(), 0) << "the penalties stay";
  EXPECT_EQ(loss.terms.at("text").loss, 0);
  EXPECT_EQ(loss.terms.at("text").ratios.count, 0);
  EXPECT_EQ(loss.terms.at("image").ratios.count, 0);
}

/** Stage 1 stopped with its text, stage 4 was painted without one. */
TEST(JointLossOptionsTest, StagesMayLackAPictureOrAText) {
  JointStages made = make_stages();
  made.rollout.stages[1].image.reset();
  made.velocities[1] = Tensor();
  made.old[1].velocities = made.reference[1].velocities = Tensor();
  made.rollout.stages[4].text.reset();
  made.old[4].logprobs = made.reference[4].logprobs = Tensor();
  made.denominators = {.images = 5, .text = {.sequences = 5}};
  const std::vector<size_t> texts = {0, 1, 2, 3, 5}, images = {0, 2, 3, 4, 5};
  for (const size_t c : texts) made.denominators.text.tokens += made.logprobs[c].size(0);

  ReplayOutput now = made.now(texts, true, false);
  now.velocities = made.velocities;
  const LossOptions options = all_parts();
  const JointLoss loss =
      joint_loss({made.rollout, kAll, now, made.old, made.reference, made.advantages}, options, made.denominators);
  const auto part = [&](const std::vector<size_t>& stages, bool text) {
    return joint_loss({made.rollout, stages, made.now(stages, text, !text), made.old, made.reference, made.advantages},
                      options, made.denominators);
  };
  const JointLoss text = part(texts, true), image = part(images, false);
  EXPECT_EQ(loss.terms.at("text").loss, text.terms.at("text").loss);
  EXPECT_EQ(loss.terms.at("text_kl").loss, text.terms.at("text_kl").loss);
  EXPECT_EQ(loss.terms.at("image").loss, image.terms.at("image").loss);
  EXPECT_EQ(loss.terms.at("velocity_mse").loss, image.terms.at("velocity_mse").loss);
  EXPECT_EQ(loss.terms.at("text").ratios.count, text.terms.at("text").ratios.count);
  EXPECT_EQ(loss.terms.at("image").ratios.count, 5 * kWindow);
  EXPECT_NEAR(loss.total.item<double>(), (text.total + image.total).item<double>(), 1e-14);
}

}  // namespace
}  // namespace diptych
