#include "diptych/algorithm/image_loss.h"

#include <cstdio>
#include <set>

#include "diptych/algorithm/advantages.h"
#include "diptych/flow/sde_step.h"
#include "diptych/tensor/autograd.h"
#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

constexpr double kNoiseLevel = 0.8;  // of this file, by its README
constexpr Tolerance kFloat64{.normalised = 1e-10, .absolute = 1e-15};

std::vector<double> doubles(const Tensor& values) {
  const Tensor flat = values.to(at::kDouble).contiguous();
  return {flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel()};
}

/** Rows of one step in one dtype, and what the losses are made of. */
struct Rows {
  StepCoefficients step;
  Tensor x, v_theta, v_old, x_next;
  Tensor mean_old, mean_theta, noise, mean_change, std;

  Rows(const std::map<std::string, Tensor>& file, const std::string& prefix, int64_t index, at::ScalarType dtype)
      : step(sde_coefficients(doubles(file.at("sigma")), index, kNoiseLevel)) {
    const auto input = [&](const char* name) { return file.at(prefix + name).to(dtype); };
    x = input("x");
    v_old = input("v_old");
    v_theta = input("v_theta").detach().clone().requires_grad_();
    x_next = input("x_next");
    mean_old = step_mean(x, v_old, step);
    mean_theta = step_mean(x, v_theta, step);
    noise = implied_noise(x_next, mean_old, step.std);
    mean_change = mean_theta - mean_old;
    std = at::full({x.size(0)}, step.std, dtype);
  }
};

struct ImageLossParity : ::testing::Test {
  const std::map<std::string, Tensor> file =
      load_tensors(fixture_folder() / "algorithms" / "flow_policy_loss.safetensors");

  std::vector<int64_t> steps() const {
    std::set<int64_t> found;
    for (const auto& [key, tensor] : file) {
      int step = 0;
      if (std::sscanf(key.c_str(), "step%d.", &step) == 1) found.insert(step);
    }
    EXPECT_FALSE(found.empty());
    return {found.begin(), found.end()};
  }

  /** "c<low>_<high>" names below a prefix. */
  std::map<std::string, ClipRange> clips(const std::string& prefix) const {
    std::map<std::string, ClipRange> result;
    for (const auto& [key, tensor] : file) {
      if (!key.starts_with(prefix + ".c")) continue;
      const std::string rest = key.substr(prefix.size() + 1);
      ClipRange clip;
      int end = 0;
      EXPECT_EQ(std::sscanf(rest.c_str(), "c%lf_%lf%n", &clip.low, &clip.high, &end), 2) << key;
      result[prefix + "." + rest.substr(0, end)] = clip;
    }
    EXPECT_FALSE(result.empty()) << prefix;
    return result;
  }

  Tensor advantages() const { return at::tensor(clamp_advantages(doubles(file.at("advantages")), 5), at::kDouble); }
};

TEST_F(ImageLossParity, AdvantagesAreClamped) {
  EXPECT_TRUE(close(advantages(), file.at("advantages_clamped"), kFloat64));
}

TEST_F(ImageLossParity, RatiosOfEveryStep) {
  for (int64_t index : steps()) {
    SCOPED_TRACE(index);
    const std::string prefix = "step" + std::to_string(index) + ".";
    const auto expected = [&](const char* name) { return file.at(prefix + name); };
    const Rows rows(file, prefix, index, at::kDouble);
    EXPECT_TRUE(close(at::scalar_tensor(rows.step.sigma, at::kDouble), expected("sigma_t"), kFloat64));
    EXPECT_TRUE(close(at::scalar_tensor(rows.step.std, at::kDouble), expected("step_std"), kFloat64));
    EXPECT_TRUE(close(at::scalar_tensor(rows.step.dt, at::kDouble), expected("dt"), kFloat64));
    EXPECT_TRUE(close(rows.mean_old, expected("mu_old"), kFloat64));
    EXPECT_TRUE(close(rows.mean_theta, expected("mu_theta"), kFloat64));
    EXPECT_TRUE(close(rows.noise, expected("eps_effective"), kFloat64));
    EXPECT_TRUE(close(gaussian_logprob(rows.x_next, rows.mean_old, rows.step.std), expected("logp_old"), kFloat64));
    EXPECT_TRUE(close(gaussian_logprob(rows.x_next, rows.mean_theta, rows.step.std), expected("logp_theta"), kFloat64));
    EXPECT_TRUE(close(rows.mean_change.square().mean({1, 2}), expected("dmu_sq_mean"), kFloat64));
    const Tensor plain = plain_log_ratio(rows.noise, rows.mean_change, rows.std);
    const Tensor ratio_norm = ratio_norm_log_ratio(rows.noise, rows.mean_change);
    EXPECT_TRUE(close(plain, expected("log_ratio"), kFloat64));
    EXPECT_TRUE(close(plain.exp(), expected("ratio"), kFloat64));
    EXPECT_TRUE(close(ratio_norm, expected("rationorm_log_ratio"), kFloat64));
    EXPECT_TRUE(close(ratio_norm.exp(), expected("rationorm_ratio"), kFloat64));
    // The quirk differs by about the spread of mean(dmu^2) / 2s between samples.
    EXPECT_FALSE(close(ratio_norm.exp() - 1, expected("guard_quirk.ratio") - 1, {.normalised = 1e-3}));
  }
}

TEST_F(ImageLossParity, LossAndGradientOfEveryClip) {
  const Tensor advantage = advantages();
  for (int64_t index : steps()) {
    for (const std::string kind : {"plain", "rationorm"}) {
      const std::string prefix = "step" + std::to_string(index) + ".";
      for (const auto& [name, clip] : clips(prefix + kind)) {
        SCOPED_TRACE(name);
        const Rows rows(file, prefix, index, at::kDouble);
        const auto n = rows.x.size(0);
        const Tensor log_ratio = kind == "plain" ? plain_log_ratio(rows.noise, rows.mean_change, rows.std)
                                                 : ratio_norm_log_ratio(rows.noise, rows.mean_change);
        const double weight = step_weights(std::vector{rows.step.dt}, n, false)[0];
        const PolicyLoss result = image_policy_loss(log_ratio, advantage, at::full({n}, weight, at::kDouble), clip);
        EXPECT_TRUE(close(result.loss, file.at(name + ".loss"), kFloat64));
        const Tensor gradient = torch::autograd::grad({result.loss}, {rows.v_theta}, {}, /*retain_graph=*/true)[0];
        EXPECT_TRUE(close(gradient, file.at(name + ".grad_v_theta"), kFloat64));
        EXPECT_TRUE(close(at::stack({result.ratios.fraction_above, result.ratios.fraction_below}),
                          file.at(name + ".clipfrac_gt_lt"), kFloat64));
        if (file.contains(name + ".loss_div_dt")) {
          const Tensor divided = at::full({n}, weight / -rows.step.dt, at::kDouble);
          EXPECT_TRUE(close(image_policy_loss(log_ratio, advantage, divided, clip).loss, file.at(name + ".loss_div_dt"),
                            kFloat64));
        }
      }
    }
  }
}

TEST_F(ImageLossParity, Float32ResolvesTheTinyClip) {
  const Tensor advantage = advantages().to(at::kFloat);
  for (int64_t index : steps()) {
    const std::string prefix = "step" + std::to_string(index) + ".";
    for (const auto& [name, clip] : clips(prefix + "rationorm")) {
      SCOPED_TRACE(name);
      const Rows rows(file, prefix, index, at::kFloat);
      const auto n = rows.x.size(0);
      const Tensor log_ratio = ratio_norm_log_ratio(rows.noise, rows.mean_change);
      EXPECT_TRUE(close(log_ratio, file.at(prefix + "rationorm_log_ratio").to(at::kFloat), {.absolute = 3e-7}));
      const Tensor weight = at::full({n}, 1.0 / static_cast<double>(n), at::kFloat);
      const PolicyLoss result = image_policy_loss(log_ratio, advantage, weight, clip);
      const Tensor gradient = torch::autograd::grad({result.loss}, {rows.v_theta})[0];
      EXPECT_TRUE(close(gradient, file.at(name + ".grad_v_theta").to(at::kFloat), {.normalised = 1e-5}));
      EXPECT_TRUE(close(at::stack({result.ratios.fraction_above, result.ratios.fraction_below}),
                        file.at(name + ".clipfrac_gt_lt").to(at::kFloat), {.absolute = 1e-6}));
    }
  }
}

TEST_F(ImageLossParity, TheLossesOfTheBatchBiasAreNotOurs) {
  const Tensor advantage = advantages();
  for (int64_t index : steps()) {
    const std::string prefix = "step" + std::to_string(index) + ".";
    for (const auto& [name, clip] : clips(prefix + "guard_quirk")) {
      const Rows rows(file, prefix, index, at::kDouble);
      const auto n = rows.x.size(0);
      const Tensor weight = at::full({n}, -1 / (rows.step.dt * static_cast<double>(n)), at::kDouble);
      const Tensor loss =
          image_policy_loss(ratio_norm_log_ratio(rows.noise, rows.mean_change), advantage, weight, clip).loss;
      const Tensor gradient = torch::autograd::grad({loss}, {rows.v_theta})[0];
      EXPECT_FALSE(close(loss, file.at(name + ".loss_div_dt"), {.normalised = 1e-9})) << name;
      EXPECT_FALSE(close(gradient, file.at(name + ".grad_v_theta"), {.normalised = 1e-9})) << name;
    }
  }
}

TEST_F(ImageLossParity, Window) {
  const std::vector<double> grid = doubles(file.at("sigma"));
  const Tensor indices = file.at("window.step_index");
  std::vector<double> dt;
  std::vector<double> std;
  for (int64_t k = 0; k < indices.numel(); ++k) {
    const StepCoefficients step = sde_coefficients(grid, indices[k].item<int64_t>(), kNoiseLevel);
    dt.push_back(step.dt);
    std.push_back(step.std);
  }
  EXPECT_TRUE(close(at::tensor(std, at::kDouble), file.at("window.step_std"), kFloat64));
  const Tensor advantage = file.at("window.advantages").to(at::kDouble);
  const int64_t chains = advantage.numel();
  const double clip = file.at("window.clip").item<double>();
  const Tensor v_theta = file.at("window.v_theta").to(at::kDouble).requires_grad_();

  // One call per step, as for images of different shapes; the weights make the parts add up.
  const auto loss = [&](bool ratio_norm, bool inverse_dt) {
    const std::vector<double> weights = step_weights(dt, chains, inverse_dt);
    Tensor total = at::zeros({}, at::kDouble);
    for (int64_t k = 0; k < indices.numel(); ++k) {
      const StepCoefficients step = sde_coefficients(grid, indices[k].item<int64_t>(), kNoiseLevel);
      const auto input = [&](const char* name) {
        return file.at(std::string("window.") + name).to(at::kDouble).select(1, k);
      };
      const Tensor mean_old = step_mean(input("x"), input("v_old"), step);
      const Tensor noise = implied_noise(input("x_next"), mean_old, step.std);
      const Tensor mean_theta = step_mean(input("x"), v_theta.select(1, k), step);
      const Tensor change = mean_theta - mean_old;
      const Tensor log_ratio = ratio_norm ? ratio_norm_log_ratio(noise, change)
                                          : plain_log_ratio(noise, change, at::full({chains}, step.std, at::kDouble));
      if (ratio_norm) {
        EXPECT_TRUE(close(log_ratio.exp(), file.at("window.rationorm_ratio").select(1, k), kFloat64));
        EXPECT_TRUE(close(gaussian_logprob(input("x_next"), mean_old, step.std),
                          file.at("window.logp_old").select(1, k), kFloat64));
        EXPECT_TRUE(close(gaussian_logprob(input("x_next"), mean_theta, step.std),
                          file.at("window.logp_theta").select(1, k), kFloat64));
      }
      const Tensor weight = at::full({chains}, weights[k], at::kDouble);
      total = total + image_policy_loss(log_ratio, advantage, weight, {clip, clip}).loss;
    }
    return total;
  };
  const auto gradient = [&](const Tensor& value) { return torch::autograd::grad({value}, {v_theta})[0]; };
  const Tensor even = loss(true, false);
  EXPECT_TRUE(close(even, file.at("window.loss"), kFloat64));
  EXPECT_TRUE(close(gradient(even), file.at("window.grad_v_theta"), kFloat64));
  const Tensor reweighted = loss(true, true);
  EXPECT_TRUE(close(reweighted, file.at("window.loss_grad_reweight"), kFloat64));
  EXPECT_TRUE(close(gradient(reweighted), file.at("window.grad_v_theta_grad_reweight"), kFloat64));
  EXPECT_TRUE(close(loss(false, false), file.at("window.loss_plain"), kFloat64));
}

}  // namespace
}  // namespace diptych
