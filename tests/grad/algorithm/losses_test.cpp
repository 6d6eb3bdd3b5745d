#include <functional>

#include "diptych/algorithm/image_loss.h"
#include "diptych/algorithm/regularizers.h"
#include "diptych/algorithm/text_loss.h"
#include "diptych/flow/guidance.h"
#include "diptych/flow/sde_step.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/tensor/autograd.h"
#include "support/compare.h"

namespace diptych {
namespace {

Tensor wavy(at::IntArrayRef shape, double step) {
  return (at::arange(c10::multiply_integers(shape), at::kDouble) * step).sin().view(shape);
}

using Loss = std::function<Tensor(const Tensor&)>;

/** Autograd against central differences with step h: their error is about h^2 plus 1e-16 / h. */
void expect_gradient(const Loss& loss, const Tensor& at_point, double h) {
  const Tensor point = at_point.detach().clone().requires_grad_();
  const Tensor analytic = torch::autograd::grad({loss(point)}, {point})[0];
  const Tensor flat = at_point.detach().flatten();
  Tensor numeric = at::empty_like(flat);
  for (int64_t i = 0; i < flat.numel(); ++i) {
    const auto moved = [&](double by) {
      Tensor copy = flat.clone();
      copy[i] += by;
      return loss(copy.view(at_point.sizes())).item<double>();
    };
    numeric[i] = (moved(h) - moved(-h)) / (2 * h);
  }
  EXPECT_TRUE(close(analytic, numeric.view(at_point.sizes()), {.normalised = 1e-7}));
  EXPECT_GT(analytic.abs().max().item<double>(), 0);
}

struct TextGradient : ::testing::Test {
  const std::vector<int64_t> lengths{4, 1, 6};
  const Tensor logp_old = wavy({11}, 1.7) - 2;
  const Tensor logp_new = logp_old + 0.5 * wavy({11}, 2.9);
  const Tensor advantage = wavy({11}, 0.8) + 0.1;
  const Tensor weight =
      at::tensor(token_weights(lengths, TokenAggregation::sequence_mean, {.sequences = 3}), at::kDouble);
};

TEST_F(TextGradient, TokenLoss) {
  expect_gradient(
      [&](const Tensor& logp) {
        return text_policy_loss(logp, logp_old, advantage, weight, {0.2, 0.28}).loss;
      },
      logp_new, 1e-5);
}

TEST_F(TextGradient, SequenceLoss) {
  const Tensor sequence_advantage = at::tensor({1.5, -0.7, 0.4}, at::kDouble);
  const Tensor sequence_weight = at::full({3}, 1.0 / 3, at::kDouble);
  expect_gradient(
      [&](const Tensor& logp) {
        return sequence_policy_loss(logp, logp_old, lengths, sequence_advantage, sequence_weight, {0.3, 0.3}).loss;
      },
      logp_new, 1e-5);
}

TEST_F(TextGradient, K3) {
  expect_gradient([&](const Tensor& logp) { return (weight * k3_divergence(logp, logp_old)).sum(); }, logp_new, 1e-5);
}

struct ImageGradient : ::testing::Test {
  const std::vector<double> grid = timestep_grid(6, 2);
  const Tensor x = wavy({3, 4, 2}, 1.9);
  const Tensor v_old = wavy({3, 4, 2}, 2.3);
  const Tensor v_new = v_old + 0.3 * wavy({3, 4, 2}, 3.7);
  const Tensor noise = 1.4 * wavy({3, 4, 2}, 4.1);
  const Tensor advantage = at::tensor({1.0, -0.6, 0.3}, at::kDouble);
  const Tensor weight = at::full({3}, 1.0 / 3, at::kDouble);

  Tensor change(const Tensor& v, const StepCoefficients& step) const {
    return step_mean(x, v, step) - step_mean(x, v_old, step);
  }
};

TEST_F(ImageGradient, RatioNormAndPlainAtFirstAndLastStep) {
  for (int64_t k : {0, 4}) {
    const StepCoefficients step = sde_coefficients(grid, k, 0.8);
    const Tensor std = at::full({3}, step.std, at::kDouble);
    // One clip range that no ratio reaches, and one that clips some.
    for (const ClipRange clip : {ClipRange{0.9, 9.0}, ClipRange{0.004, 0.004}}) {
      expect_gradient(
          [&](const Tensor& v) {
            return image_policy_loss(ratio_norm_log_ratio(noise, change(v, step)), advantage, weight, clip).loss;
          },
          v_new, 1e-5);
      expect_gradient(
          [&](const Tensor& v) {
            return image_policy_loss(plain_log_ratio(noise, change(v, step), std), advantage, weight, clip).loss;
          },
          v_new, 1e-5);
    }
  }
}

TEST_F(ImageGradient, Regularizers) {
  const StepCoefficients step = sde_coefficients(grid, 1, 0.8);
  const Tensor std = at::full({3}, step.std, at::kDouble);
  expect_gradient([&](const Tensor& v) { return (weight * velocity_mse(v, v_old)).sum(); }, v_new, 1e-5);
  expect_gradient(
      [&](const Tensor& v) {
        return (weight * latent_kl(step_mean(x, v, step), step_mean(x, v_old, step), std)).sum();
      },
      v_new, 1e-5);
}

TEST_F(ImageGradient, LogProbabilities) {
  const Tensor next =
      noisy_step(step_mean(x, v_old, sde_coefficients(grid, 1, 0.8)), noise, sde_coefficients(grid, 1, 0.8));
  expect_gradient(
      [&](const Tensor& v) {
        const StepCoefficients step = sde_coefficients(grid, 1, 0.8);
        return gaussian_logprob(next, step_mean(x, v, step), step.std).sum();
      },
      v_new, 1e-5);
  expect_gradient(
      [&](const Tensor& v) { return cps_logprob(next, step_mean(x, v, cps_coefficients(grid, 1, 0.5))).sum(); }, v_new,
      1e-5);
}

TEST_F(ImageGradient, GuidedVelocityInBothBranches) {
  for (RenormType renorm : {RenormType::global, RenormType::channel, RenormType::text_channel}) {
    const Guidance guidance{.text_scale = 4, .image_scale = 2, .renorm = renorm};
    const Tensor direction = wavy({3, 4, 2}, 0.6) + 0.2;
    expect_gradient(
        [&](const Tensor& v) { return (direction * guided_velocity(v, v_old, noise, guidance, 0.5)).sum(); }, v_new,
        1e-5);
    expect_gradient(
        [&](const Tensor& v) { return (direction * guided_velocity(v_old, v, noise, guidance, 0.5)).sum(); }, v_new,
        1e-5);
  }
}

}  // namespace
}  // namespace diptych
