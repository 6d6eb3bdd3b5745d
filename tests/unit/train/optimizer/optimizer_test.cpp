#include "diptych/tensor/torch.h"

#include "diptych/train/optimizer/optimizer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "diptych/base/error.h"
#include "support/compare.h"

namespace diptych {
namespace {

NamedTensor parameter(const std::string& name, const std::vector<float>& values) {
  return {name, at::tensor(values).set_requires_grad(true)};
}

void set_gradient(const NamedTensor& parameter, const std::vector<float>& values) {
  parameter.tensor.mutable_grad() = at::tensor(values);
}

/** Two groups of one parameter each, both clipped to norm 1. */
AdamW two_groups(const AdamWOptions& options = {}) {
  return AdamW({{.name = "und", .parameters = {parameter("a", {1, 2})}, .learning_rate = 0.1, .max_grad_norm = 1},
                {.name = "gen", .parameters = {parameter("b", {3, 4})}, .learning_rate = 0.1, .max_grad_norm = 1}},
               options);
}

std::map<std::string, Tensor> cloned_state(const AdamW& optimizer) {
  std::map<std::string, Tensor> state;
  for (const NamedTensor& named : optimizer.optimizer_state()) state[named.name] = named.tensor.clone();
  return state;
}

TEST(AdamW, ClipsEachGroupByItsOwnNorm) {
  AdamW optimizer = two_groups();
  set_gradient(optimizer.groups()[0].parameters[0], {30, 40});
  set_gradient(optimizer.groups()[1].parameters[0], {0.3f, 0.4f});
  const StepReport report = optimizer.step(1);
  EXPECT_TRUE(report.applied);
  EXPECT_NEAR(report.groups[0].grad_norm, 50, 1e-5);
  EXPECT_NEAR(report.groups[0].clip_coefficient, 1 / 50.0, 1e-6);
  EXPECT_NEAR(report.groups[1].grad_norm, 0.5, 1e-6);
  EXPECT_EQ(report.groups[1].clip_coefficient, 1);
  EXPECT_NEAR(report.grad_norm, std::sqrt(50.0 * 50 + 0.25), 1e-4);
  // After one step the first moment is (1 - beta1) times the clipped gradient.
  const std::map<std::string, Tensor> state = cloned_state(optimizer);
  EXPECT_TRUE(close(state.at("exp_avg/a"), at::tensor({0.06f, 0.08f}), {.normalised = 1e-5}));
  EXPECT_TRUE(close(state.at("exp_avg/b"), at::tensor({0.03f, 0.04f}), {.normalised = 1e-5}));
}

TEST(AdamW, JointNormScalesAllGroupsAlike) {
  AdamW optimizer = two_groups({.joint_max_grad_norm = 1});
  set_gradient(optimizer.groups()[0].parameters[0], {3, 0});
  set_gradient(optimizer.groups()[1].parameters[0], {0, 4});
  const StepReport report = optimizer.step(1);
  EXPECT_NEAR(report.groups[0].clip_coefficient, 0.2, 1e-6);
  EXPECT_EQ(report.groups[0].clip_coefficient, report.groups[1].clip_coefficient);
}

TEST(AdamW, RefusesNonFiniteGradientsAndChangesNothing) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    AdamW optimizer = two_groups();
    set_gradient(optimizer.groups()[0].parameters[0], {1, 1});
    set_gradient(optimizer.groups()[1].parameters[0], {1, 1});
    optimizer.step(1);
    const std::map<std::string, Tensor> before = cloned_state(optimizer);
    const Tensor weights = optimizer.groups()[0].parameters[0].tensor.detach().clone();

    set_gradient(optimizer.groups()[1].parameters[0], {1, bad});
    const StepReport report = optimizer.step(1);
    EXPECT_FALSE(report.applied);
    EXPECT_EQ(report.non_finite, std::vector<std::string>{"b"});
    EXPECT_EQ(optimizer.step_count(), 1);
    EXPECT_TRUE(same_bits(optimizer.groups()[0].parameters[0].tensor, weights));
    for (const auto& [name, tensor] : cloned_state(optimizer)) EXPECT_TRUE(same_bits(tensor, before.at(name))) << name;
  }
}

TEST(AdamW, CountsSecondMomentsBelowEpsilonAndChangedWeights) {
  // sqrt(v_hat) is |gradient| after the first step.
  AdamW optimizer({{.name = "all", .parameters = {parameter("a", {1, 1, 1, 1})}, .learning_rate = 1e-3}},
                  {.epsilon = 1e-4, .weight_decay = 0});
  set_gradient(optimizer.groups()[0].parameters[0], {1e-3f, 0.9e-4f, 1e-5f, 0});
  const StepReport report = optimizer.step(1);
  EXPECT_DOUBLE_EQ(report.groups[0].below_epsilon_share, 0.75);
  EXPECT_DOUBLE_EQ(report.groups[0].changed_share, 0.75);
}

TEST(AdamW, ReportsUpdatesThatRoundAway) {
  AdamW optimizer({{.name = "all", .parameters = {parameter("a", {1, 1})}, .learning_rate = 1e-9}},
                  {.weight_decay = 0});
  set_gradient(optimizer.groups()[0].parameters[0], {1, 1});
  EXPECT_EQ(optimizer.step(1).groups[0].changed_share, 0);
}

TEST(AdamW, UndefinedGradientsCountAsZero) {
  AdamW with_zeros = two_groups();
  AdamW with_none = two_groups();
  for (int step = 0; step < 2; ++step) {
    set_gradient(with_zeros.groups()[0].parameters[0], {1, -1});
    set_gradient(with_none.groups()[0].parameters[0], {1, -1});
    set_gradient(with_zeros.groups()[1].parameters[0], {0, 0});
    with_none.groups()[1].parameters[0].tensor.mutable_grad() = Tensor();
    with_zeros.step(1);
    with_none.step(1);
  }
  for (int group = 0; group < 2; ++group) {
    EXPECT_TRUE(
        same_bits(with_none.groups()[group].parameters[0].tensor, with_zeros.groups()[group].parameters[0].tensor));
  }
}

TEST(AdamW, AcceptsTransposedGradients) {
  const Tensor initial = at::arange(6, at::kFloat).view({2, 3});
  const Tensor gradient = at::arange(6, at::kFloat).view({3, 2}).t();
  Tensor results[2];
  for (const bool transposed : {false, true}) {
    const Tensor weights = initial.clone().set_requires_grad(true);
    AdamW optimizer({{.name = "all", .parameters = {{"a", weights}}, .learning_rate = 0.1}}, {});
    // mutable_grad takes any layout; autograd itself would keep that of the parameter.
    weights.mutable_grad() = transposed ? gradient : gradient.contiguous();
    optimizer.step(1);
    results[transposed] = weights.detach();
  }
  EXPECT_TRUE(same_bits(results[1], results[0]));
}

TEST(AdamW, ContinuesBitForBitFromItsState) {
  AdamW straight = two_groups();
  AdamW first = two_groups();
  const auto run = [](AdamW& optimizer, int from, int to) {
    for (int step = from; step < to; ++step) {
      const float value = 0.1f * static_cast<float>(step + 1);
      set_gradient(optimizer.groups()[0].parameters[0], {value, -value});
      set_gradient(optimizer.groups()[1].parameters[0], {0.7f * value, 3 * value});
      optimizer.step(warmup_scale(step, 4));
    }
  };
  run(straight, 0, 6);
  run(first, 0, 3);
  std::vector<ParameterGroup> groups = first.groups();
  for (ParameterGroup& group : groups) {
    group.parameters[0].tensor = group.parameters[0].tensor.detach().clone().set_requires_grad(true);
  }
  AdamW second(groups, {});
  second.load_optimizer_state(cloned_state(first));
  EXPECT_EQ(second.step_count(), 3);
  run(second, 3, 6);
  for (int group = 0; group < 2; ++group) {
    EXPECT_TRUE(same_bits(second.groups()[group].parameters[0].tensor, straight.groups()[group].parameters[0].tensor));
  }
  const std::map<std::string, Tensor> expected = cloned_state(straight);
  for (const auto& [name, tensor] : cloned_state(second)) EXPECT_TRUE(same_bits(tensor, expected.at(name))) << name;
}

TEST(AdamW, ListsEveryTensorThatDoesNotFit) {
  AdamW optimizer = two_groups();
  std::map<std::string, Tensor> state = cloned_state(optimizer);
  state.erase("exp_avg/a");
  state["exp_avg_sq/b"] = at::zeros({3});
  state["exp_avg/c"] = at::zeros({1});
  try {
    optimizer.load_optimizer_state(state);
    FAIL() << "no error";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_EQ(error.code(), ExitCode::model);
    for (const char* part : {"missing exp_avg/a", "exp_avg_sq/b is Float [3], not Float [2]", "extra exp_avg/c"}) {
      EXPECT_NE(text.find(part), std::string::npos) << text;
    }
  }
}

TEST(AdamW, ClearsGradients) {
  AdamW optimizer = two_groups();
  set_gradient(optimizer.groups()[0].parameters[0], {1, 1});
  optimizer.clear_gradients();
  EXPECT_FALSE(optimizer.groups()[0].parameters[0].tensor.grad().defined());
}

/** The master moves like an fp32 parameter; the bf16 weight follows when the sum is worth a step of its own. */
TEST(AdamW, Bfloat16WeightsHaveMasters) {
  const Tensor weight = at::tensor({1.0F, -2.0F}).to(at::kBFloat16).set_requires_grad(true);
  AdamW rounded({{.name = "all", .parameters = {{"a", weight}}, .learning_rate = 1e-3}}, {});
  AdamW exact({{.name = "all", .parameters = {parameter("a", {1, -2})}, .learning_rate = 1e-3}}, {});
  double changed = 0;
  for (int step = 0; step < 5; ++step) {
    set_gradient(exact.groups()[0].parameters[0], {0.3F, -0.1F});
    rounded.clear_gradients();
    weight.mutable_grad().add_(at::tensor({0.3F, -0.1F}));
    exact.step(1);
    const StepReport report = rounded.step(1);
    if (step == 0) {
      EXPECT_EQ(report.groups[0].changed_share, 0);  // .001 is less than half of bf16's step at 1
    }
    changed += report.groups[0].changed_share;
    EXPECT_TRUE(same_bits(rounded.master_weights()[0].tensor, exact.master_weights()[0].tensor.detach()));
    EXPECT_TRUE(same_bits(weight.detach(), exact.master_weights()[0].tensor.detach().to(at::kBFloat16)));
  }
  EXPECT_GT(changed, 0);
}

TEST(AdamW, GradientsCanBeBfloat16ToSpareMemory) {
  const Tensor weight = at::ones({4}, at::kBFloat16).set_requires_grad(true);
  AdamW optimizer({{.name = "all", .parameters = {{"a", weight}}, .learning_rate = 0.1}}, {.bfloat16_gradients = true});
  optimizer.clear_gradients();
  EXPECT_FALSE(weight.grad().defined());
  weight.sum().backward();
  EXPECT_EQ(weight.grad().scalar_type(), at::kBFloat16);
  EXPECT_TRUE(optimizer.step(1).applied);
  EXPECT_NEAR(weight[0].item<float>(), 0.9, 0.01);
}

/** Three gradients of which bf16 would lose two. */
TEST(AdamW, GradientsOfBfloat16WeightsAddUpInFloat32) {
  const Tensor weight = at::ones({4}, at::kBFloat16).set_requires_grad(true);
  AdamW optimizer({{.name = "all", .parameters = {{"a", weight}}, .learning_rate = 1e-3}}, {});
  optimizer.clear_gradients();
  for (const double scale : {1.0, 1.0 / 512, 1.0 / 512}) (weight * scale).sum().backward();
  EXPECT_EQ(weight.grad().scalar_type(), at::kFloat);
  EXPECT_EQ(weight.grad()[0].item<float>(), 1.0F + 2.0F / 512);
}

TEST(AdamW, ContinuesFromMasters) {
  const Tensor weight = at::ones({2}, at::kBFloat16).set_requires_grad(true);
  AdamW optimizer({{.name = "all", .parameters = {{"a", weight}}, .learning_rate = 1e-3}}, {});
  const std::vector<NamedTensor> masters = optimizer.master_weights();
  ASSERT_EQ(masters[0].tensor.scalar_type(), at::kFloat);
  at::NoGradGuard no_grad;
  Tensor(masters[0].tensor).fill_(2.5);
  optimizer.round_masters();
  EXPECT_EQ(weight[1].item<float>(), 2.5F);
}

TEST(WarmupScale, RisesLinearlyThenStays) {
  EXPECT_DOUBLE_EQ(warmup_scale(0, 4), 0.25);
  EXPECT_DOUBLE_EQ(warmup_scale(2, 4), 0.75);
  EXPECT_DOUBLE_EQ(warmup_scale(3, 4), 1);
  EXPECT_DOUBLE_EQ(warmup_scale(1000, 4), 1);
  EXPECT_DOUBLE_EQ(warmup_scale(0, 0), 1);
}

}  // namespace
}  // namespace diptych
