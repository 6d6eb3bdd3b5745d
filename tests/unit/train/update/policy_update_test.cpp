#include "diptych/tensor/torch.h"

#include "diptych/train/update/policy_update.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/algorithm/geometry.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/train/optimizer/trainable.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

/** A fresh tiny model with an optimizer, and a rollout of two groups of three stages. Stays where it is. */
struct Learner {
  explicit Learner(const std::filesystem::path& folder) : made(load_model_folder(folder)) {
    policy = std::make_unique<TrainedPolicy>(
        made.model, PolicyOptions{.und_learning_rate = 1e-3, .gen_learning_rate = 1e-3, .adamw = {.weight_decay = 0}});
    weights = policy->restorable();
    EpisodeOptions episode = {.program = episode_program("think")};
    episode.text.max_tokens = 6;
    episode.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 2};
    episode.image_height = episode.image_width = 16;
    rollout = roll_out(
        made.model, made.tokenizer,
        {.prompts = {{"a red circle", 0}, {"two squares", 1}}, .group_size = 3, .options = episode, .seed = 6});
    options.loss.image_clip = {1e-4, 1e-4};
    options.gate_text = 1e-3;
    options.gate_image = 0.5;
  }

  UpdateReport update() {
    return PolicyUpdate(made.model, *policy, options, {rollout, stages, advantages, reference}).run(rate);
  }

  std::map<std::string, Tensor> state() const {
    std::map<std::string, Tensor> copy;
    for (const NamedTensor& named : policy->optimizer().optimizer_state()) copy[named.name] = named.tensor.clone();
    for (const NamedTensor& weight : weights) copy["weight/" + weight.name] = weight.tensor.detach().clone();
    return copy;
  }

  ModelFolder made;
  std::unique_ptr<TrainedPolicy> policy;
  std::vector<NamedTensor> weights;
  Rollout rollout;
  std::vector<size_t> stages = {0, 1, 2, 3, 4, 5};
  std::vector<double> advantages = {1.2, -0.4, -0.8, 0.3, 0.9, -1.2};
  std::vector<StageValues> reference;
  UpdateOptions options;
  std::function<double()> rate = [] { return 1.0; };
};

class PolicyUpdateTest : public ::testing::Test {
 protected:
  void SetUp() override { make_tiny_model(folder_.path()); }
  Learner learner() { return Learner(folder_.path()); }

  int64_t actions(const Learner& some, const std::vector<size_t>& stages) {
    int64_t count = 0;
    for (const size_t c : stages) count += static_cast<int64_t>(some.rollout.stages[c].text->tokens.size());
    return count;
  }

  TemporaryFolder folder_;
};

void expect_same_state(const std::map<std::string, Tensor>& actual, const std::map<std::string, Tensor>& expected) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, tensor] : expected) EXPECT_TRUE(same_bits(actual.at(name), tensor)) << name;
}

TEST_F(PolicyUpdateTest, MicroBatchesMakeTheSameStep) {
  Learner whole = learner();
  const UpdateReport expected = whole.update();
  EXPECT_EQ(expected.applied, 1);
  EXPECT_EQ(expected.first_ratios.at("text"), 0);
  EXPECT_EQ(expected.first_ratios.at("image"), 0);
  EXPECT_EQ(expected.losses.at("text").ratios.count, actions(whole, whole.stages));
  EXPECT_EQ(expected.losses.at("image").ratios.count, 12);
  for (const int64_t size : {1, 2, 4}) {
    Learner parts = learner();
    parts.options.chains_per_pack = size;
    const UpdateReport report = parts.update();
    EXPECT_NEAR(report.losses.at("text").loss, expected.losses.at("text").loss, 1e-6);
    EXPECT_NEAR(report.losses.at("image").loss, expected.losses.at("image").loss, 1e-6);
    EXPECT_EQ(report.losses.at("text").ratios.count, expected.losses.at("text").ratios.count);
    for (size_t group = 0; group < 2; ++group) {
      EXPECT_GT(expected.groups[group].grad_norm, 0);
      EXPECT_NEAR(report.groups[group].grad_norm / expected.groups[group].grad_norm, 1, 1e-4);
    }
    const std::map<std::string, Tensor> state = parts.state();
    for (const auto& [name, tensor] : whole.state())
      if (name.starts_with("exp_avg/")) {
        EXPECT_TRUE(close(state.at(name), tensor, {.normalised = 1e-3})) << name;
      }
  }
}

TEST_F(PolicyUpdateTest, AnyNumberOfThreadsMakesTheSameBits) {
  const int before = at::get_num_threads();
  std::vector<std::map<std::string, Tensor>> states;
  for (const int threads : {1, 2, 3}) {
    at::set_num_threads(threads);
    Learner some = learner();  // samples as well
    some.options.chains_per_pack = 2;
    some.options.mini_batches = 2;
    some.options.epochs = 2;
    some.options.loss.velocity_mse_weight = 0.1;
    some.reference = replay_values(some.made.model, some.rollout, some.stages, some.options);
    EXPECT_EQ(some.update().applied, 4);
    states.push_back(some.state());
  }
  at::set_num_threads(before);
  expect_same_state(states[1], states[0]);
  expect_same_state(states[2], states[0]);
}

TEST_F(PolicyUpdateTest, MiniBatchesKeepGroupsTogether) {
  Learner some = learner();
  some.options.mini_batches = 2;
  const UpdateReport report = some.update();
  EXPECT_EQ(report.applied, 2);
  EXPECT_EQ(some.policy->optimizer().step_count(), 2);
  // The report is of the second update: the stages of the second prompt, after a move of the policy.
  EXPECT_EQ(report.losses.at("text").ratios.count, actions(some, {3, 4, 5}));
  EXPECT_EQ(report.losses.at("image").ratios.count, 6);
  EXPECT_GT(report.losses.at("text").ratios.max_abs_log_ratio.item<double>(), 1e-5);
  EXPECT_LT(report.first_ratios.at("text"), 1e-5);

  Learner more = learner();
  more.options.mini_batches = 5;  // more than there are prompts
  EXPECT_EQ(more.update().applied, 2);
  Learner one = learner();
  one.options.mini_batches = 2;
  one.stages = {3, 4, 5};  // a prompt without a spread contributes nothing
  EXPECT_EQ(one.update().applied, 1);
  Learner none = learner();
  none.stages = {};
  const UpdateReport nothing = none.update();
  EXPECT_EQ(nothing.applied + nothing.skipped, 0);
}

TEST_F(PolicyUpdateTest, TheLearningRateIsAskedForEveryUpdate) {
  Learner some = learner();
  some.options.mini_batches = 2;
  some.options.epochs = 2;
  const OptimizerConfig config{.warmup_steps = 4};
  std::vector<double> rates;
  some.rate = [&] {
    rates.push_back(learning_rate_scale(config, some.policy->optimizer().step_count(), 0, 1));
    return rates.back();
  };
  EXPECT_EQ(some.update().applied, 4);
  EXPECT_EQ(rates, (std::vector{0.25, 0.5, 0.75, 1.0}));
}

/** Texts do not depend on the weights behind denoised latents: their packs have no gradient. */
TEST_F(PolicyUpdateTest, PacksWithoutAWayToATrainedWeightAreLeftOut) {
  const int before = at::get_num_threads();
  for (const int threads : {1, 2}) {
    at::set_num_threads(threads);
    for (const bool all_stop : {false, true}) {
      Learner some = learner();
      for (Tensor& parameter : some.policy->parameters()) parameter.requires_grad_(false);
      some.policy = std::make_unique<TrainedPolicy>(
          some.made.model, PolicyOptions{.parameters = {"llm2vae*"}, .und_learning_rate = 1e-3});
      for (const size_t c : {0, 1, 2, 3, 4, 5})
        if (c < 3 || all_stop) some.rollout.stages[c].image.reset();
      some.options.chains_per_pack = 3;
      const UpdateReport report = some.update();
      EXPECT_EQ(report.applied, 1);
      EXPECT_EQ(report.skipped, 0);
      EXPECT_EQ(report.groups[0].grad_norm > 0, !all_stop);
    }
  }
  at::set_num_threads(before);
}

TEST_F(PolicyUpdateTest, OldValuesStayThoseBeforeTheFirstUpdate) {
  Learner some = learner();
  some.options.epochs = 3;
  const std::vector<StageValues> before = replay_values(some.made.model, some.rollout, some.stages, some.options);
  const UpdateReport report = some.update();
  EXPECT_EQ(report.applied, 3);
  // Ratios of the third update are against the weights before the first one: undo it and compare.
  Learner two = learner();
  two.options.epochs = 2;
  two.update();
  const std::vector<StageValues> now = replay_values(two.made.model, two.rollout, two.stages, two.options);
  double largest = 0;
  for (const size_t c : two.stages)
    largest = std::max(largest, (now[c].logprobs - before[c].logprobs).abs().max().item<double>());
  EXPECT_NEAR(report.losses.at("text").ratios.max_abs_log_ratio.item<double>() / largest, 1, 1e-3);
}

TEST_F(PolicyUpdateTest, OldValuesCanBeTheSamplers) {
  Learner some = learner();
  some.options.old_from_rollout = true;
  const UpdateReport report = some.update();
  EXPECT_EQ(report.applied, 1);
  EXPECT_LT(report.first_ratios.at("text"), 1e-4);
  EXPECT_NEAR(report.first_ratios.at("text"), report.gate.text_max, 1e-6);
}

TEST_F(PolicyUpdateTest, ZeroAdvantagesMoveNothing) {
  Learner some = learner();
  some.advantages.assign(6, 0);
  const std::map<std::string, Tensor> before = some.state();
  const UpdateReport report = some.update();
  for (const GroupStepReport& group : report.groups) EXPECT_EQ(group.grad_norm, 0);
  for (const auto& [name, tensor] : some.state())
    if (name != "step") {
      EXPECT_TRUE(same_bits(tensor, before.at(name))) << name;
    }
}

TEST_F(PolicyUpdateTest, NonFiniteStepsChangeNothingAndAreCounted) {
  const double nan = std::nan("");
  const auto expect_skipped = [&](const std::function<void(Learner&)>& tamper, int64_t mini_batches) {
    Learner some = learner();
    some.options.mini_batches = mini_batches;
    tamper(some);
    const std::map<std::string, Tensor> before = some.state();
    const UpdateReport report = some.update();
    EXPECT_EQ(report.applied, 0);
    EXPECT_EQ(report.skipped, mini_batches);
    expect_same_state(some.state(), before);
  };
  for (const int64_t mini_batches : {1, 2}) {
    expect_skipped([&](Learner& some) { some.advantages[1] = some.advantages[4] = nan; }, mini_batches);
    expect_skipped([&](Learner& some) { some.advantages[1] = some.advantages[4] = INFINITY; }, mini_batches);
    expect_skipped(
        [&](Learner& some) {
          for (const size_t c : {2, 5}) some.rollout.stages[c].image->nexts[1][0][3] = nan;
        },
        mini_batches);
    // A log-probability of the reference, of the policy (its weights are spoilt), a gradient behind a finite loss.
    expect_skipped(
        [&](Learner& some) {
          some.options.loss.text_kl_weight = 1;
          some.reference = replay_values(some.made.model, some.rollout, some.stages, some.options);
          for (const size_t c : {0, 3}) some.reference[c].logprobs[0] = nan;
        },
        mini_batches);
    expect_skipped(
        [&](Learner& some) {
          at::NoGradGuard no_grad;
          some.weights[0].tensor.view({-1})[0] = nan;
        },
        mini_batches);
    expect_skipped(
        [&](Learner& some) {
          some.weights[0].tensor.register_hook([=](const Tensor& gradient) { return gradient * nan; });
        },
        mini_batches);
  }
  // Only the mini-batch that is hit is dropped.
  Learner half = learner();
  half.options.mini_batches = 2;
  half.advantages[0] = nan;
  const UpdateReport report = half.update();
  EXPECT_EQ(report.applied, 1);
  EXPECT_EQ(report.skipped, 1);
}

TEST_F(PolicyUpdateTest, GateBAcceptsTheSamplerAndMeasuresIt) {
  const Learner some = learner();
  const std::vector<StageValues> replayed = replay_values(some.made.model, some.rollout, some.stages, some.options);
  const GateReport gate = check_replay(some.rollout, some.stages, replayed, some.options);
  EXPECT_LT(gate.text_max, 1e-5);
  EXPECT_LE(gate.text_mean, gate.text_max);
  EXPECT_LT(gate.image_max, 0.1);
  const GateReport same = check_replay(some.rollout, some.stages, sampler_values(some.rollout), some.options);
  EXPECT_LT(same.text_max, 1e-6);  // float32 of the stored float64
  EXPECT_EQ(same.image_max, 0);
}

TEST_F(PolicyUpdateTest, GateBNamesTheStageThatDisagrees) {
  const Learner some = learner();
  const auto tampered = [&](const std::function<void(std::vector<StageValues>&)>& tamper) {
    std::vector<StageValues> values = replay_values(some.made.model, some.rollout, some.stages, some.options);
    tamper(values);
    check_replay(some.rollout, some.stages, values, some.options);
  };
  const double nan = std::nan("");
  for (const double shift : {0.01, -0.01, nan})
    expect_error([&] { tampered([&](auto& values) { values[4].logprobs[1] += shift; }); }, ExitCode::numerics,
                 {"gate B", "text", "(prompt 1, sample 1), image"});
  for (const double shift : {0.1, nan})
    expect_error([&] { tampered([&](auto& values) { values[2].velocities[1][0][0] += shift; }); }, ExitCode::numerics,
                 {"gate B", "clips (prompt 0, sample 2)"});
  // A NaN early on is not forgotten because of later stages.
  expect_error([&] { tampered([&](auto& values) { values[0].logprobs[0] = nan; }); }, ExitCode::numerics,
               {"nan (prompt 0, sample 0), image 0 clips"});
}

TEST_F(PolicyUpdateTest, GateBMeasuresImagesInClips) {
  const Learner some = learner();
  std::vector<StageValues> values = sampler_values(some.rollout);
  values[1].velocities = values[1].velocities.clone();
  values[1].velocities[1] += 1e-3;
  const double elements = static_cast<double>(values[1].velocities[1].numel());
  const double expected = 1e-3 * std::abs(window_gains(some.rollout.schedule)[1]) / std::sqrt(elements) / 1e-4;
  UpdateOptions wide = some.options;
  wide.gate_image = 1e9;
  EXPECT_NEAR(check_replay(some.rollout, some.stages, values, wide).image_max / expected, 1, 1e-3);
}

TEST_F(PolicyUpdateTest, UpdatesStopAtATamperedRollout) {
  for (const int64_t mini_batches : {1, 2})
    for (const double shift : {-0.5, std::nan("")}) {
      Learner some = learner();
      some.options.mini_batches = mini_batches;
      some.rollout.stages[4].text->logprobs[0] += shift;
      const std::map<std::string, Tensor> before = some.state();
      expect_error([&] { some.update(); }, ExitCode::numerics, {"gate B", "prompt 1, sample 1"});
      expect_same_state(some.state(), before);
    }
}

/** In bfloat16 the mean decides: one token off is rounding, all of them a mistake in the forward pass. */
TEST_F(PolicyUpdateTest, InBfloat16TheGateIsAboutTheMean) {
  Learner some = learner();
  some.options.gate_text_mean = true;
  some.options.gate_text = 0.05;
  const std::vector<StageValues> values = replay_values(some.made.model, some.rollout, some.stages, some.options);
  some.rollout.stages[4].text->logprobs[0] += 0.5;
  const GateReport report = check_replay(some.rollout, some.stages, values, some.options);
  EXPECT_NEAR(report.text_max, 0.5, 1e-3);
  EXPECT_LT(report.text_mean, some.options.gate_text);
  for (const size_t stage : some.stages)
    for (double& logprob : some.rollout.stages[stage].text->logprobs) logprob += 0.1;
  expect_error([&] { check_replay(some.rollout, some.stages, values, some.options); }, ExitCode::numerics,
               {"gate B", "mean |log-prob difference| up to", "text mean", "largest"});
  some.rollout.stages[4].text->logprobs[0] = std::nan("");
  expect_error([&] { check_replay(some.rollout, some.stages, values, some.options); }, ExitCode::numerics, {"gate B"});
}

TEST_F(PolicyUpdateTest, PenaltiesNeedADistanceFromTheReference) {
  Learner some = learner();
  some.options.loss.velocity_mse_weight = 1;
  some.advantages.assign(6, 0);
  some.reference = replay_values(some.made.model, some.rollout, some.stages, some.options);
  const UpdateReport still = some.update();
  EXPECT_EQ(still.losses.at("velocity_mse").loss, 0);
  some.reference[3].velocities = some.reference[3].velocities + 0.5;
  const UpdateReport moved = some.update();
  EXPECT_NEAR(moved.losses.at("velocity_mse").loss, 0.25 / 6, 1e-5);
  EXPECT_GT(moved.groups[1].grad_norm, 0);
}

TEST_F(PolicyUpdateTest, ThePolicyComesBackInThePlaceOfTheReference) {
  Learner some = learner();
  const std::vector<StageValues> start = replay_values(some.made.model, some.rollout, some.stages, some.options);
  some.update();
  const std::map<std::string, Tensor> live = some.state();
  {
    const ReferenceInPlace reference(*some.policy);
    EXPECT_FALSE(some.policy->intact());
    const std::vector<StageValues> frozen = replay_values(some.made.model, some.rollout, some.stages, some.options);
    for (const size_t c : some.stages) {
      EXPECT_TRUE(same_bits(frozen[c].logprobs, start[c].logprobs));
      EXPECT_TRUE(same_bits(frozen[c].velocities, start[c].velocities));
    }
  }
  EXPECT_TRUE(some.policy->intact());
  expect_same_state(some.state(), live);
  for (const NamedTensor& weight : some.weights) EXPECT_TRUE(weight.tensor.requires_grad());
}

/** Adapters move the model that samples, and nothing but them moves. */
TEST_F(PolicyUpdateTest, AdaptersLearn) {
  Learner some = learner();
  some.policy = std::make_unique<TrainedPolicy>(
      some.made.model, PolicyOptions{.adapters = {.rank = 2, .alpha = 4, .targets = {"*_proj*"}},
                                     .und_learning_rate = 1e-2,
                                     .gen_learning_rate = 1e-2,
                                     .adamw = {.weight_decay = 0}});
  const std::vector<StageValues> start = replay_values(some.made.model, some.rollout, some.stages, some.options);
  const UpdateReport report = some.update();
  EXPECT_EQ(report.applied, 1);
  EXPECT_GT(report.groups[0].grad_norm, 0);
  EXPECT_GT(report.groups[1].grad_norm, 0);
  const std::vector<StageValues> moved = replay_values(some.made.model, some.rollout, some.stages, some.options);
  EXPECT_GT((moved[0].velocities - start[0].velocities).abs().max().item<double>(), 1e-5);
  EXPECT_GT((moved[0].logprobs - start[0].logprobs).abs().max().item<double>(), 1e-5);
  const std::vector<StageValues> frozen = [&] {
    const ReferenceInPlace reference(*some.policy);
    return replay_values(some.made.model, some.rollout, some.stages, some.options);
  }();
  EXPECT_TRUE(same_bits(frozen[0].velocities, start[0].velocities));
  EXPECT_TRUE(same_bits(frozen[0].logprobs, start[0].logprobs));
}

TEST(TrainedPolicyTest, AnExpertWithoutALearningRateHasNoAdapters) {
  Bagel model = tiny_bagel();
  const TrainedPolicy policy(
      model,
      {.adapters = {.rank = 2, .alpha = 4, .targets = {"*_proj*"}}, .und_learning_rate = 0, .gen_learning_rate = 1e-2});
  const std::vector<NamedLinear> adapted = adapted_linears(model);
  EXPECT_EQ(adapted.size(), 14u);  // 7 of the generation expert in each of 2 layers
  for (const NamedLinear& linear : adapted) EXPECT_TRUE(is_generation_expert(linear.name)) << linear.name;
  EXPECT_EQ(policy.parameters().size(), 28u);

  Bagel other = tiny_bagel();
  const PolicyOptions idle{.adapters = {.rank = 2, .alpha = 4, .targets = {"*moe_gen*"}}, .und_learning_rate = 1e-2};
  expect_error([&] { TrainedPolicy(other, idle); }, ExitCode::config,
               {"lora.targets and the learning rates", "linears of an expert that trains", "none"});
}

/** All factors move, but the weights that the model computes with are rounded to bfloat16. */
TEST(TrainedPolicyTest, TheChangedShareIsThatOfMergedWeights) {
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    Bagel model = tiny_bagel(dtype);
    TrainedPolicy policy(model, {.adapters = {.rank = 2, .alpha = 4, .targets = {"*_proj*"}},
                                 .und_learning_rate = 1e-4,
                                 .gen_learning_rate = 1e-2,
                                 .max_grad_norm = 0});
    std::vector<Tensor> before;
    for (const NamedLinear& linear : adapted_linears(model)) before.push_back(linear.layer->weight.clone());
    for (const Tensor& parameter : policy.parameters()) parameter.mutable_grad() = at::ones_like(parameter);
    const StepReport report = policy.step(1);
    std::map<std::string, double> changed, weights;
    const std::vector<NamedLinear> adapted = adapted_linears(model);
    for (size_t i = 0; i < adapted.size(); ++i) {
      const std::string group = is_generation_expert(adapted[i].name) ? "gen" : "und";
      changed[group] += static_cast<double>((adapted[i].layer->weight != before[i]).sum().item<int64_t>());
      weights[group] += static_cast<double>(before[i].numel());
    }
    for (const GroupStepReport& group : report.groups)
      EXPECT_DOUBLE_EQ(group.changed_share, changed[group.name] / weights[group.name]) << group.name;
    // Steps of 1e-4 for factors of a half, which is less than the spacing of most weights in bfloat16.
    EXPECT_GT(report.groups[1].changed_share, 0.9);
    EXPECT_LT(report.groups[0].changed_share, dtype == at::kBFloat16 ? 0.5 : 1.1);
  }
}

/** Two processes with a prompt each have the gradients of one with both. */
TEST_F(PolicyUpdateTest, StagesOfOtherRanksCountInTheDenominators) {
  const auto moments_without = [&](int64_t remote_prompt) {
    Learner some = learner();
    some.policy = std::make_unique<TrainedPolicy>(
        some.made.model, PolicyOptions{.und_learning_rate = 1e-3, .gen_learning_rate = 1e-3, .max_grad_norm = 0});
    for (Stage& stage : some.rollout.stages) stage.remote = stage.prompt == remote_prompt;
    EXPECT_EQ(some.update().applied, 1);
    return some.policy->optimizer().optimizer_state();
  };
  // Adam's first moment after one step is (1 - beta1) times the gradient, which adds up.
  const auto whole = moments_without(-1), first = moments_without(1), second = moments_without(0);
  for (size_t i = 1; i < whole.size(); i += 2)
    EXPECT_TRUE(close(first[i].tensor + second[i].tensor, whole[i].tensor, {.normalised = 1e-4})) << whole[i].name;
}

TEST_F(PolicyUpdateTest, OptionsFollowTheRecipe) {
  const Learner some = learner();
  RlRecipe recipe;
  recipe.rollout.image_size = 32;
  recipe.rollout.updates = 5;
  recipe.rollout.system_prompt = "think";
  recipe.rollout.guidance.text_scale = 3;
  recipe.train.context_gradient = "detached";
  recipe.train.old_logprob = "rollout";
  recipe.train.text_aggregation = "token_mean";
  const auto build = [&] { return update_options(recipe, episode_options(recipe.rollout, 0), 256); };
  UpdateOptions options = build();
  EXPECT_EQ(options.geometry_factor, 1);
  EXPECT_EQ(options.loss.velocity_mse_weight, 1.5e-5);
  EXPECT_EQ(options.loss.image_clip.high, 1e-6);
  EXPECT_EQ(options.loss.aggregation, TokenAggregation::token_mean);
  EXPECT_TRUE(options.replay.detach_context);
  EXPECT_TRUE(options.old_from_rollout);
  EXPECT_TRUE(loss_needs(options.loss).reference);

  recipe.train.scale_with_geometry = true;
  recipe.train.velocity_mse_reduction = "sum";
  options = build();
  const double factor = geometry_scale(256, timestep_grid(6, 3), 0, 5, 0.8);
  EXPECT_DOUBLE_EQ(options.geometry_factor, factor);
  EXPECT_DOUBLE_EQ(options.loss.velocity_mse_weight, 1.5e-5 * factor * 256);
  EXPECT_DOUBLE_EQ(options.loss.image_clip.low, 1e-6 * factor);

  recipe.rollout.temperature = 0;
  recipe.train.velocity_mse_weight = 0;
  recipe.train.image_weight = 0;
  options = build();
  EXPECT_EQ(options.replay.temperature, 1);  // as the sampler records it
  EXPECT_FALSE(loss_needs(options.loss).reference);
  EXPECT_FALSE(options.replay.with_image);
  EXPECT_TRUE(options.replay.with_text);
  recipe.train.text_weight = 0;
  EXPECT_FALSE(build().replay.with_text);
}

}  // namespace
}  // namespace diptych
