#include "diptych/algorithm/policy_loss.h"

#include <cmath>
#include <limits>

#include "diptych/algorithm/image_loss.h"
#include "diptych/algorithm/text_loss.h"
#include "diptych/tensor/autograd.h"
#include "support/compare.h"

namespace diptych {
namespace {

Tensor doubles(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble);
}

/** Numbers in (-1, 1) without pattern, float64. */
Tensor wavy(int64_t size, double step) {
  return (at::arange(size, at::kDouble) * step).sin();
}

TEST(ClippedPolicyLoss, EachQuadrantOfAdvantageAndRatio) {
  const ClipRange clip{0.2, 0.3};
  const auto loss = [&](double ratio, double advantage) {
    return clipped_policy_loss(doubles({std::log(ratio)}), doubles({advantage}), doubles({1}), clip)
        .loss.item<double>();
  };
  EXPECT_NEAR(loss(1.5, 2), -2 * 1.3, 1e-12);  // good and already more likely: clipped
  EXPECT_NEAR(loss(0.5, 2), -2 * 0.5, 1e-12);  // good but less likely: full gradient
  EXPECT_NEAR(loss(1.5, -2), 2 * 1.5, 1e-12);  // bad but more likely: full gradient
  EXPECT_NEAR(loss(0.5, -2), 2 * 0.8, 1e-12);  // bad and already less likely: clipped
  EXPECT_NEAR(loss(1.1, 2), -2 * 1.1, 1e-12);
}

TEST(ClippedPolicyLoss, OnPolicyGradientIsMinusWeightTimesAdvantage) {
  for (auto dtype : {at::kFloat, at::kDouble}) {
    const Tensor log_ratio = at::zeros({3}, dtype).requires_grad_();
    const Tensor advantage = doubles({0.5, -2, 0}).to(dtype);
    const Tensor weight = doubles({0.25, 0.5, 1}).to(dtype);
    const PolicyLoss result = clipped_policy_loss(log_ratio, advantage, weight, {1e-6, 1e-6});
    EXPECT_TRUE(same_bits(torch::autograd::grad({result.loss}, {log_ratio})[0] + 0.0, -weight * advantage + 0.0));
    EXPECT_EQ(result.ratios.ratio_mean.item<double>(), 1.0);
    EXPECT_EQ(result.ratios.max_abs_log_ratio.item<double>(), 0.0);
  }
}

TEST(ClippedPolicyLoss, Float32TellsRatiosApartThatExpWouldRound) {
  // In float32 exp(1.02e-6) and 1 + 1e-6 round to the same number; the clip must act nevertheless.
  const Tensor log_ratio = at::tensor({1.02e-6, 0.98e-6}, at::kFloat).requires_grad_();
  const Tensor one = at::ones({2}, at::kFloat);
  const PolicyLoss result = clipped_policy_loss(log_ratio, one, one, {1e-6, 1e-6});
  const Tensor gradient = torch::autograd::grad({result.loss}, {log_ratio})[0];
  EXPECT_EQ(gradient[0].item<float>(), 0.0f);
  EXPECT_NEAR(gradient[1].item<float>(), -1.0f, 1e-5);
  EXPECT_EQ(result.ratios.fraction_above.item<float>(), 0.5f);
}

TEST(ClippedPolicyLoss, NonFiniteTermsAreNotHidden) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double infinity = std::numeric_limits<double>::infinity();
  const auto loss = [](double log_ratio, double advantage) {
    return clipped_policy_loss(doubles({0.1, log_ratio}), doubles({1, advantage}), doubles({1, 1}), {0.2, 0.2});
  };
  EXPECT_FALSE(std::isfinite(loss(nan, 1).loss.item<double>()));
  EXPECT_FALSE(std::isfinite(loss(nan, 1).ratios.max_abs_log_ratio.item<double>()));
  EXPECT_FALSE(std::isfinite(loss(infinity, -1).loss.item<double>()));
  EXPECT_FALSE(std::isfinite(loss(0, nan).loss.item<double>()));
}

TEST(ClippedPolicyLoss, NoTermsAtAll) {
  const Tensor nothing = at::zeros({0}, at::kFloat).requires_grad_();
  const PolicyLoss result = clipped_policy_loss(nothing, nothing.detach(), nothing.detach(), {0.2, 0.2});
  EXPECT_EQ(result.loss.item<float>(), 0.0f);
  EXPECT_EQ(result.ratios.count, 0);
  EXPECT_EQ(result.ratios.ratio_mean.item<float>(), 0.0f);
}

TEST(ClippedPolicyLoss, ShapesMustAgreeExactly) {
  const Tensor five = at::zeros({5}, at::kDouble);
  EXPECT_ANY_THROW(clipped_policy_loss(five, five.unsqueeze(1), five, {0.2, 0.2}));
  EXPECT_ANY_THROW(clipped_policy_loss(five, at::zeros({1}, at::kDouble), five, {0.2, 0.2}));
}

TEST(TokenWeights, DenominatorsOfTheWholeBatch) {
  const std::vector<int64_t> lengths{2, 0, 4};
  EXPECT_EQ(token_weights(lengths, TokenAggregation::sequence_mean, {.sequences = 4}),
            (std::vector{1. / 8, 1. / 8, 1. / 16, 1. / 16, 1. / 16, 1. / 16}));
  EXPECT_EQ(token_weights(lengths, TokenAggregation::token_mean, {.tokens = 10}), std::vector(6, 1. / 10));
  EXPECT_EQ(token_weights(lengths, TokenAggregation::sequence_normalised, {.sequences = 4, .horizon = 8}),
            std::vector(6, 1. / 32));
  EXPECT_ANY_THROW(token_weights(lengths, TokenAggregation::token_mean, {.sequences = 4}));
}

TEST(StepWeights, ReweightingKeepsTheTotal) {
  const std::vector<double> dt{-0.01, -0.02, -0.04};
  EXPECT_EQ(step_weights(dt, 2, false), std::vector(3, 1. / 6));
  const std::vector<double> weights = step_weights(dt, 2, true);
  EXPECT_NEAR(weights[0] + weights[1] + weights[2], 0.5, 1e-15);
  EXPECT_NEAR(weights[0], 2 * weights[1], 1e-15);
  EXPECT_NEAR(weights[1], 2 * weights[2], 1e-15);
}

TEST(TextLoss, MicroBatchesAddUpToTheBatch) {
  const std::vector<int64_t> lengths{3, 5, 1, 7};
  const int64_t tokens = 16;
  const Tensor logp_old = wavy(tokens, 1.7) - 2;
  const Tensor logp_new = (logp_old + 0.4 * wavy(tokens, 2.3)).requires_grad_();
  const Tensor logp_ref = logp_old + 0.2 * wavy(tokens, 3.1);
  const Tensor advantage = wavy(tokens, 0.9);
  for (TokenAggregation aggregation :
       {TokenAggregation::sequence_mean, TokenAggregation::token_mean, TokenAggregation::sequence_normalised}) {
    const TextDenominators denominators{.sequences = 4, .tokens = tokens, .horizon = 8};
    const auto loss_of = [&](size_t first, size_t last) {
      int64_t begin = 0;
      for (size_t i = 0; i < first; ++i) begin += lengths[i];
      const std::vector<int64_t> part(lengths.begin() + first, lengths.begin() + last);
      const Tensor weight = doubles(token_weights(part, aggregation, denominators));
      const auto cut = [&](const Tensor& all) { return all.slice(0, begin, begin + weight.numel()); };
      return text_policy_loss(cut(logp_new), cut(logp_old), cut(advantage), weight, {0.2, 0.28}).loss +
             0.1 * (weight * k3_divergence(cut(logp_new), cut(logp_ref))).sum();
    };
    const auto gradient = [&](const Tensor& loss) { return torch::autograd::grad({loss}, {logp_new})[0]; };
    const Tensor whole = loss_of(0, 4);
    const Tensor first = loss_of(0, 1);
    const Tensor second = loss_of(1, 4);
    EXPECT_TRUE(close(first + second, whole, {.normalised = 1e-14}));
    const Tensor whole_gradient = gradient(whole);
    EXPECT_TRUE(close(gradient(first) + gradient(second), whole_gradient, {}));
  }
}

TEST(TextLoss, SequenceRatioOfAnEmptySequenceIsOne) {
  const Tensor logp_new = doubles({-1.0, -2.0, -0.5}).requires_grad_();
  const Tensor log_ratio = sequence_log_ratio(logp_new, doubles({-1.2, -2.0, -0.9}), {2, 0, 1});
  EXPECT_TRUE(close(log_ratio, doubles({0.1, 0, 0.4}), {.absolute = 1e-15}));
}

TEST(ImageLoss, RatioNormIsExactlyOneOnPolicy) {
  const Tensor noise = wavy(2 * 3 * 4, 1.1).view({2, 3, 4}).to(at::kFloat);
  EXPECT_TRUE(same_bits(ratio_norm_log_ratio(noise.abs(), at::zeros_like(noise)), at::zeros({2})));
}

TEST(ImageLoss, MicroBatchesOfDifferentShapesAddUp) {
  // Two chains of 6 elements and one of 12: the batch loss is the mean over chains, whatever their sizes.
  const Tensor small = wavy(12, 1.3).view({2, 3, 2});
  const Tensor large = wavy(12, 0.7).view({1, 6, 2});
  const double weight = step_weights(std::vector{-0.1}, 3, false)[0];
  const auto loss = [&](const Tensor& log_ratio, const std::vector<double>& advantage) {
    return image_policy_loss(log_ratio, doubles(advantage), at::full({log_ratio.size(0)}, weight, at::kDouble),
                             {0.01, 0.01})
        .loss;
  };
  const Tensor small_ratio = ratio_norm_log_ratio(small, 0.1 * small.cos());
  const Tensor large_ratio = ratio_norm_log_ratio(large, 0.1 * large.cos());
  EXPECT_TRUE(close(loss(small_ratio, {1, -1}) + loss(large_ratio, {0.5}),
                    loss(at::cat({small_ratio, large_ratio}), {1, -1, 0.5}), {.normalised = 1e-14}));
}

}  // namespace
}  // namespace diptych
