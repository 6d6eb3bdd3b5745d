// AdamW against torch.optim.AdamW with clip_grad_norm_: every family of adamw.safetensors.
#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <map>
#include <regex>
#include <string>
#include <vector>

#include "diptych/base/text_format.h"
#include "diptych/tensor/load.h"
#include "diptych/train/optimizer/optimizer.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

/** A family of the fixture; its name tells the learning rate of each group, such as two_lr1e-6_3e-5_f64. */
struct Family {
  std::string name;
  std::vector<double> learning_rates;
  at::ScalarType type;
};

std::vector<Family> families(const std::map<std::string, Tensor>& fixture) {
  const std::regex pattern(R"((\w+)_lr([0-9.e-]+)(?:_([0-9.e-]+))?_(f32|f64)\.grad_norm)");
  std::vector<Family> found;
  for (const auto& [key, tensor] : fixture) {
    std::smatch match;
    if (!std::regex_match(key, match, pattern)) continue;
    Family family{.name = key.substr(0, key.rfind('.')),
                  .learning_rates = {std::stod(match[2])},
                  .type = match[4] == "f64" ? at::kDouble : at::kFloat};
    if (match[3].matched) family.learning_rates.push_back(std::stod(match[3]));
    found.push_back(family);
  }
  return found;
}

AdamW make_optimizer(const Family& family, const std::map<std::string, Tensor>& fixture) {
  std::vector<ParameterGroup> groups;
  for (size_t i = 0; i < family.learning_rates.size(); ++i) {
    const Tensor initial = fixture.at(cat("init", i)).to(family.type).clone().set_requires_grad(true);
    groups.push_back({.name = cat("group", i),
                      .parameters = {{cat("param", i), initial}},
                      .learning_rate = family.learning_rates[i]});
  }
  return AdamW(groups, {.beta1 = 0.9, .beta2 = 0.999, .epsilon = 1e-8, .weight_decay = 1e-4, .joint_max_grad_norm = 1});
}

class AdamWParity : public ::testing::Test {
 protected:
  std::map<std::string, Tensor> fixture_ = load_tensors(fixture_folder() / "algorithms" / "adamw.safetensors");

  const Tensor& expected(const Family& family, const std::string& name) {
    return fixture_.at(family.name + "." + name);
  }
};

TEST_F(AdamWParity, EveryStepOfEveryFamilyAgreesWithTorch) {
  const std::vector<Family> all = families(fixture_);
  ASSERT_FALSE(all.empty());
  for (const Family& family : all) {
    SCOPED_TRACE(family.name);
    const double tolerance = family.type == at::kDouble ? 1e-12 : 1e-6;
    AdamW optimizer = make_optimizer(family, fixture_);
    const size_t groups = family.learning_rates.size();
    for (int64_t step = 0; step < expected(family, "grad_norm").size(0); ++step) {
      SCOPED_TRACE(step);
      for (size_t i = 0; i < groups; ++i) {
        const Tensor gradient = fixture_.at(cat("grad", i))[step].to(family.type, false, true);
        optimizer.groups()[i].parameters[0].tensor.mutable_grad() = gradient;
      }
      const StepReport report = optimizer.step(1);
      ASSERT_TRUE(report.applied);
      const double norm = expected(family, "grad_norm")[step].item<double>();
      EXPECT_NEAR(report.grad_norm, norm, tolerance * norm);
      EXPECT_NEAR(report.groups[0].clip_coefficient, expected(family, "clip_coef")[step].item<double>(), tolerance);
      for (size_t i = 0; i < groups; ++i) {
        EXPECT_TRUE(close(optimizer.groups()[i].parameters[0].tensor, expected(family, cat("param", i, "_after"))[step],
                          {.normalised = tolerance}));
      }
    }
    std::map<std::string, Tensor> state;
    for (const NamedTensor& named : optimizer.optimizer_state()) state[named.name] = named.tensor;
    for (size_t i = 0; i < groups; ++i) {
      for (const char* moment : {"exp_avg", "exp_avg_sq"}) {
        EXPECT_TRUE(
            close(state.at(cat(moment, "/param", i)), expected(family, cat(moment, i)), {.normalised = tolerance}));
      }
    }
  }
}

}  // namespace
}  // namespace diptych
