#include "diptych/flow/sde_step.h"

#include <cmath>
#include <numbers>
#include <set>

#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

constexpr Tolerance kFloat64{.normalised = 1e-10, .absolute = 1e-14};

std::vector<double> doubles(const Tensor& values) {
  const Tensor flat = values.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/** The file, and its cases: prefixes like "g26.sde.a0.8", with the grid "g26" and the noise level. */
struct SdeStepParity : ::testing::Test {
  struct Case {
    std::string grid;
    std::string prefix;
    double noise_level;
  };
  const std::map<std::string, Tensor> file = load_tensors(fixture_folder() / "algorithms" / "sde_step.safetensors");

  const Tensor& raw(const std::string& key) const { return file.at(key); }
  Tensor f64(const std::string& key) const { return file.at(key).to(at::kDouble); }

  std::vector<Case> cases(const std::string& kind) const {
    std::set<std::string> prefixes;
    for (const auto& [key, tensor] : file) {
      const size_t place = key.find("." + kind + ".a");
      if (place != std::string::npos) prefixes.insert(key.substr(0, key.rfind('.')));
    }
    std::vector<Case> result;
    for (const std::string& prefix : prefixes) {
      const size_t dot = prefix.find('.');
      result.push_back({prefix.substr(0, dot), prefix, std::stod(prefix.substr(dot + kind.size() + 3))});
    }
    EXPECT_FALSE(result.empty());
    return result;
  }
};

TEST_F(SdeStepParity, SdeStepsAndLogProbabilities) {
  for (const Case& c : cases("sde")) {
    SCOPED_TRACE(c.prefix);
    const std::vector<double> grid = doubles(raw(c.grid + ".sigma"));
    const Tensor x = f64(c.grid + ".x"), v = f64(c.grid + ".v"), v_theta = f64(c.grid + ".v_theta");
    const Tensor eps = f64(c.grid + ".eps");
    const auto steps = static_cast<int64_t>(grid.size()) - 1;
    if (c.noise_level == 0) {
      for (int64_t k = 0; k < steps; ++k) {
        const StepCoefficients step = sde_coefficients(grid, k, 0);
        EXPECT_TRUE(close(noisy_step(step_mean(x[k], v[k], step), eps[k], step), f64(c.prefix + ".next")[k], kFloat64));
      }
      continue;
    }
    for (int64_t k = 0; k < steps; ++k) {
      SCOPED_TRACE(k);
      const auto expected = [&](const char* name) { return f64(c.prefix + name)[k]; };
      const StepCoefficients step = sde_coefficients(grid, k, c.noise_level);
      EXPECT_TRUE(close(at::scalar_tensor(step.sigma, at::kDouble), expected(".sigma_t"), kFloat64));
      EXPECT_TRUE(close(at::scalar_tensor(step.std, at::kDouble), expected(".step_std"), kFloat64));
      EXPECT_TRUE(close(at::scalar_tensor(step.x, at::kDouble), expected(".coef_x"), kFloat64));
      EXPECT_TRUE(close(at::scalar_tensor(step.v, at::kDouble), expected(".coef_v"), kFloat64));
      const Tensor mean = step_mean(x[k], v[k], step);
      const Tensor mean_theta = step_mean(x[k], v_theta[k], step);
      EXPECT_TRUE(close(mean, expected(".mean"), kFloat64));
      EXPECT_TRUE(close(mean_theta, expected(".mean_theta"), kFloat64));
      EXPECT_TRUE(close(noisy_step(mean, eps[k], step), expected(".next"), kFloat64));
      const Tensor stored = expected(".next_f32");
      const Tensor logp = gaussian_logprob(stored, mean, step.std);
      EXPECT_TRUE(close(logp, expected(".logp"), kFloat64));
      EXPECT_TRUE(
          close(logp - std::log(step.std) - 0.5 * std::log(2 * std::numbers::pi), expected(".logp_const"), kFloat64));
      EXPECT_TRUE(close(gaussian_logprob(stored, mean_theta, step.std), expected(".logp_theta"), kFloat64));
    }
  }
}

TEST_F(SdeStepParity, CpsStepsAndLogProbabilities) {
  for (const Case& c : cases("cps")) {
    SCOPED_TRACE(c.prefix);
    const std::vector<double> grid = doubles(raw(c.grid + ".sigma"));
    const Tensor x = f64(c.grid + ".x"), v = f64(c.grid + ".v"), v_theta = f64(c.grid + ".v_theta");
    const Tensor eps = f64(c.grid + ".eps");
    for (int64_t k = 0; k + 1 < static_cast<int64_t>(grid.size()); ++k) {
      SCOPED_TRACE(k);
      const auto expected = [&](const char* name) { return f64(c.prefix + name)[k]; };
      const StepCoefficients step = cps_coefficients(grid, k, c.noise_level);
      const Tensor mean = step_mean(x[k], v[k], step);
      EXPECT_TRUE(close(noisy_step(mean, eps[k], step), expected(".next"), kFloat64));
      if (c.noise_level == 0) continue;
      EXPECT_TRUE(close(at::scalar_tensor(step.std, at::kDouble), expected(".std"), kFloat64));
      EXPECT_TRUE(close(mean, expected(".mean"), kFloat64));
      const Tensor stored = expected(".next_f32");
      EXPECT_TRUE(close(cps_logprob(stored, mean), expected(".logp"), kFloat64));
      EXPECT_TRUE(close(cps_logprob(stored, step_mean(x[k], v_theta[k], step)), expected(".logp_theta"), kFloat64));
    }
  }
}

TEST_F(SdeStepParity, Float32FollowsFloat64) {
  for (const Case& c : cases("sde")) {
    if (c.noise_level == 0) continue;
    SCOPED_TRACE(c.prefix);
    const std::vector<double> grid = doubles(raw(c.grid + ".sigma"));
    for (int64_t k = 0; k + 1 < static_cast<int64_t>(grid.size()); ++k) {
      const StepCoefficients step = sde_coefficients(grid, k, c.noise_level);
      const Tensor mean = step_mean(raw(c.grid + ".x")[k], raw(c.grid + ".v")[k], step);
      EXPECT_TRUE(close(mean, raw(c.prefix + ".mean")[k].to(at::kFloat), {.normalised = 1e-6})) << k;
      const Tensor stored = raw(c.prefix + ".next_f32")[k];
      EXPECT_TRUE(close(gaussian_logprob(stored, mean, step.std), raw(c.prefix + ".logp")[k].to(at::kFloat),
                        {.normalised = 1e-5}))
          << k;
    }
  }
}

TEST_F(SdeStepParity, TheFirstStepUsesTheSecondGridPointAndNoClamp) {
  const std::vector<double> grid = doubles(raw("clamp99.sigma50"));
  const Tensor expected = raw("clamp99.step_std_schedule1");
  std::vector<double> stds;
  for (int64_t k = 0; k < expected.numel(); ++k) stds.push_back(sde_coefficients(grid, k, 0.8).std);
  const Tensor actual = at::tensor(stds, expected.options());
  EXPECT_TRUE(close(actual, expected, {.normalised = expected.scalar_type() == at::kDouble ? 1e-10 : 1e-6}));
  EXPECT_FALSE(close(actual, raw("clamp99.step_std_clamped").to(actual.scalar_type()), {.normalised = 1e-3}));
}

}  // namespace
}  // namespace diptych
