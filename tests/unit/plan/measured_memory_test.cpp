#include "diptych/tensor/torch.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/base/text_format.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/plan/pass_memory.h"
#include "diptych/plan/planned_model.h"
#include "diptych/plan/workload.h"
#include "diptych/tensor/device.h"
#include "diptych/train/optimizer/trained_policy.h"
#include "diptych/train/update/joint_loss.h"
#include "support/tiny_model.h"
#include "unit/plan/allocations.h"

namespace diptych {
namespace {

constexpr double kTolerance = 0.10;
constexpr int64_t kPrompts = 2, kGroup = 2, kThought = 60, kGrid = 8, kWindow = 3;

struct Case {
  bool bfloat16 = false;
  bool adapted = false;
  bool recompute = false;
  bool detached = false;
  bool think = true;

  std::string name() const {
    return cat(bfloat16 ? "bfloat16" : "float32", adapted ? " lora" : " full", recompute ? " recomputed" : " kept",
               detached ? " detached" : "", think ? "" : " t2i");
  }
};

ModelConfig config_of() {
  ModelConfig config = tiny_config();
  config.hidden = 192;
  config.layers = 4;
  config.heads = 6;
  config.kv_heads = 2;
  config.head_dim = 32;
  config.mlp = 512;
  config.vocabulary = 300;
  return config;
}

RlRecipe recipe_of(const Case& which) {
  RlRecipe recipe;
  recipe.run.dtype = which.bfloat16 ? "bfloat16" : "float32";
  recipe.rollout.episode = which.think ? "think" : "t2i";
  recipe.rollout.max_think_tokens = kThought;
  recipe.rollout.image_size = kGrid * 8;
  recipe.rollout.updates = 6;
  recipe.rollout.window_size = kWindow;
  recipe.prompts.per_step = kPrompts;
  recipe.train.group_size = kGroup;
  recipe.train.context_gradient = which.detached ? "detached" : "full";
  recipe.train.recompute_layers = which.recompute;
  recipe.train.latent_kl_weight = 0.1;
  recipe.lora.rank = which.adapted ? 4 : 0;
  return recipe;
}

/** Chains as a rollout of the recipe leaves them. */
struct Sampled {
  Rollout rollout;
  std::vector<StageValues> values;  // old and reference
  LossDenominators denominators;
};

Sampled sampled(const Workload& work) {
  Sampled made;
  made.rollout.prompts = kPrompts;
  made.rollout.schedule = work.episode.schedule;
  for (int64_t p = 0; p < kPrompts; ++p) made.rollout.contexts.push_back(work.context);
  const std::vector<int64_t> shape = {kWindow, work.latent_tokens(), work.channels};
  for (int64_t c = 0; c < kPrompts * kGroup; ++c) {
    Stage chain;
    chain.prompt = chain.context = c / kGroup;
    chain.sample = c % kGroup;
    if (work.stage.write) chain.text = SampledText{std::vector<int64_t>(kThought, 7), {}, /*truncated=*/true};
    chain.image.emplace();
    chain.image->grid_height = chain.image->grid_width = kGrid;
    chain.image->states = numbers(static_cast<uint64_t>(c), shape);
    chain.image->nexts = numbers(static_cast<uint64_t>(c) + 10, shape);
    made.values.push_back({numbers(3, {kThought}), numbers(static_cast<uint64_t>(c) + 20, shape)});
    made.rollout.stages.push_back(std::move(chain));
    if (!work.stage.write) continue;
    ++made.denominators.text.sequences;
    made.denominators.text.tokens += kThought;
  }
  made.denominators.images = kPrompts * kGroup;
  return made;
}

void expect_near(int64_t planned, int64_t measured, const std::string& what) {
  const double ratio = static_cast<double>(planned) / static_cast<double>(measured);
  EXPECT_NEAR(ratio, 1, kTolerance) << what << ": planned " << planned << " bytes, measured " << measured;
}

class MeasuredMemoryTest : public ::testing::TestWithParam<Case> {
 protected:
  void SetUp() override { at::set_num_threads(1); }
  void TearDown() override { at::set_num_threads(threads_); }

  const int threads_ = at::get_num_threads();
};

TEST_P(MeasuredMemoryTest, UpdateTakesWhatWasPlanned) {
  const Case which = GetParam();
  SCOPED_TRACE(which.name());
  const RlRecipe recipe = recipe_of(which);
  PlannedModel planned = planned_model(config_of(), recipe);
  const StateBytes state = state_bytes(planned, needs_reference(recipe.train), 1);
  const Workload work = workload_of(config_of(), recipe, {.prompt_tokens = 38});

  Bagel model = make_bagel(config_of());
  model.special = {0, 1, 2, 3};
  initialise(model, 7);
  stir_weights(model, 1000, 0.01);
  const Allocations allocations;
  convert(model, compute_dtype(recipe.run.dtype));
  model.decoder.recompute = which.recompute;
  const int64_t before = allocations.live();
  TrainedPolicy policy(model, policy_options(recipe));
  EXPECT_EQ(allocations.live() - before,
            state.adapters + state.bases + state.masters + state.moments + state.reference);
  int64_t weights = 0;
  for (const ParameterSlot& slot : transformer_slots(model)) weights += static_cast<int64_t>(slot.tensor->nbytes());
  EXPECT_EQ(state.weights, weights);

  const Sampled made = sampled(work);
  const std::vector<size_t> chains = {0, 1, 2, 3};
  const UpdateOptions options = update_options(recipe, work.episode, work.latent_tokens() * work.channels);
  const int64_t without_gradients = allocations.live();
  policy.optimizer().clear_gradients();
  EXPECT_EQ(allocations.live() - without_gradients, state.gradients_grow ? 0 : state.gradients);
  Allocations pass_allocations;
  ReplayOutput now = replay(model, made.rollout, chains, options.replay);
  const std::vector<double> advantages = {1, -1, 1, -1};
  const LossInput input{made.rollout, chains, now, made.values, made.values, advantages};
  Tensor loss = joint_loss(input, options.loss, made.denominators).total;
  const int64_t kept = pass_allocations.live();
  pass_allocations.forget_peak();
  loss.backward();
  const int64_t peak = pass_allocations.peak();

  const PackShape shape = pack_shape(lay_out(update_pack(work, kPrompts * kGroup, kThought)),
                                     work.stage.write ? kPrompts * kGroup * kThought : 0);
  const Kernels kernels = which.bfloat16 ? Kernels::aten_loops : Kernels::loops;
  const UpdateBytes pass = update_bytes(planned.model, shape, kernels, which.recompute);
  expect_near(pass.kept, kept, "end of the forward pass");
  const int64_t gradients = state.gradients_grow ? state.gradients : 0;  // those of bfloat16 stand already
  expect_near(update_peak(pass, gradients, state.gradients_grow, config_of().layers), peak, "peak");
}

INSTANTIATE_TEST_SUITE_P(All, MeasuredMemoryTest,
                         ::testing::Values(Case{}, Case{.recompute = true}, Case{.adapted = true},
                                           Case{.adapted = true, .recompute = true}, Case{.detached = true},
                                           Case{.think = false}, Case{.bfloat16 = true},
                                           Case{.bfloat16 = true, .recompute = true},
                                           Case{.bfloat16 = true, .adapted = true},
                                           Case{.bfloat16 = true, .adapted = true, .recompute = true}));

}  // namespace
}  // namespace diptych
