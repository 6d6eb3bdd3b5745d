#include "diptych/algorithm/regularizers.h"

#include <cstdio>

#include "diptych/algorithm/image_loss.h"
#include "diptych/flow/sde_step.h"
#include "diptych/tensor/autograd.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

constexpr double kPenaltyNoiseLevel = 0.8;  // of this file, by its README
constexpr Tolerance kPenaltyFloat64{.normalised = 1e-10, .absolute = 1e-18};

struct RegularizersParity : ::testing::Test {
  const std::map<std::string, Tensor> file = load_tensors(fixture_folder() / "algorithms" / "regularizers.safetensors");
  const Tensor x = file.at("x").to(at::kDouble);
  const Tensor v_theta = file.at("v_theta").to(at::kDouble).requires_grad_();
  const Tensor v_ref = file.at("v_ref").to(at::kDouble);
  const int64_t samples = x.size(0);
  const int64_t steps = x.size(1);
  std::vector<StepCoefficients> coefficients;

  RegularizersParity() {
    const Tensor sigma = file.at("sigma").to(at::kDouble).contiguous();
    const std::vector<double> grid(sigma.const_data_ptr<double>(), sigma.const_data_ptr<double>() + sigma.numel());
    for (int64_t k = 0; k < steps; ++k)
      coefficients.push_back(sde_coefficients(grid, file.at("step_index")[k].item<int64_t>(), kPenaltyNoiseLevel));
  }

  /** Equal weights of all samples and steps, summed. */
  Tensor weighted(const Tensor& per_sample_step) const {
    std::vector<double> dt;
    for (const StepCoefficients& step : coefficients) dt.push_back(step.dt);
    return (per_sample_step * at::tensor(step_weights(dt, samples, false), at::kDouble)).sum();
  }
  Tensor gradient(const Tensor& loss) const { return torch::autograd::grad({loss}, {v_theta})[0]; }
};

TEST_F(RegularizersParity, VelocityMse) {
  const auto mse = [&] { return velocity_mse(v_theta.flatten(0, 1), v_ref.flatten(0, 1)).view({samples, steps}); };
  EXPECT_TRUE(close(mse(), file.at("velocity_mse.per_sample_step"), kPenaltyFloat64));
  EXPECT_TRUE(close(mse().mean(0), file.at("velocity_mse.per_step"), kPenaltyFloat64));
  const Tensor loss = weighted(mse());
  EXPECT_TRUE(close(loss, file.at("velocity_mse.loss"), kPenaltyFloat64));
  EXPECT_TRUE(close(gradient(loss), file.at("velocity_mse.grad_v_theta"), kPenaltyFloat64));
  const double elements = static_cast<double>(x[0][0].numel());
  EXPECT_TRUE(close(mse() * elements, file.at("velocity_mse.sum_per_sample_step"), kPenaltyFloat64));
  int weights = 0;
  for (const auto& [key, expected] : file) {
    double weight = 0;
    if (std::sscanf(key.c_str(), "velocity_mse.weighted_%lf", &weight) != 1) continue;
    EXPECT_TRUE(close(weight * weighted(mse()), expected, kPenaltyFloat64)) << key;
    ++weights;
  }
  EXPECT_GT(weights, 0);
}

TEST_F(RegularizersParity, LatentKl) {
  const auto kl = [&] {
    std::vector<Tensor> per_step;
    for (int64_t k = 0; k < steps; ++k) {
      const StepCoefficients& step = coefficients[k];
      per_step.push_back(latent_kl(step_mean(x.select(1, k), v_theta.select(1, k), step),
                                   step_mean(x.select(1, k), v_ref.select(1, k), step),
                                   at::full({samples}, step.std, at::kDouble)));
    }
    return at::stack(per_step, 1);
  };
  EXPECT_TRUE(close(kl(), file.at("latent_kl.per_sample_step"), kPenaltyFloat64));
  const Tensor loss = weighted(kl());
  EXPECT_TRUE(close(loss, file.at("latent_kl.loss"), kPenaltyFloat64));
  EXPECT_TRUE(close(gradient(loss), file.at("latent_kl.grad_v_theta"), kPenaltyFloat64));
  EXPECT_TRUE(
      close(kl() * static_cast<double>(x[0][0].numel()), file.at("latent_kl.sum_per_sample_step"), kPenaltyFloat64));
  for (int64_t k = 0; k < steps; ++k) {
    const StepCoefficients& step = coefficients[k];
    const auto scalar = [](double value) { return at::scalar_tensor(value, at::kDouble); };
    EXPECT_TRUE(close(scalar(step.sigma), file.at("sigma_t")[k], kPenaltyFloat64));
    EXPECT_TRUE(close(scalar(step.std), file.at("step_std")[k], kPenaltyFloat64));
    EXPECT_TRUE(close(scalar(step.v * step.v / (2 * step.std * step.std)), file.at("latent_kl.velocity_weight")[k],
                      kPenaltyFloat64));
  }
  // The peers' form forgets |dt|; ours must not agree with it.
  EXPECT_FALSE(close(kl(), file.at("latent_kl_no_dt.per_sample_step"), {.normalised = 1e-2}));
  EXPECT_FALSE(close(weighted(kl()), file.at("latent_kl_no_dt.loss"), {.normalised = 1e-2}));
}

}  // namespace
}  // namespace diptych
