#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <utility>

#include "diptych/plan/advice_search.h"
#include "diptych/plan/rollout_memory.h"
#include "diptych/plan/supervised_plan.h"
#include "support/expect_error.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

constexpr int64_t kTransformer = 14'607'260'128, kExpert = 6'525'625'344, kGenLora = 161'480'704;

RlRecipe bagel_recipe(int64_t rank = 0) {
  RlRecipe recipe;
  recipe.run.dtype = "bfloat16";
  recipe.lora.rank = rank;
  recipe.rollout.chains_per_pack = 1;
  recipe.train.chains_per_pack = 1;
  return recipe;
}

Workload bagel_work(const RlRecipe& recipe) {
  return workload_of({}, recipe, {});
}

TEST(PlannedModelTest, CountsOfBagel) {
  PlannedModel planned = planned_model({}, bagel_recipe());
  const ParameterCounts counts = parameter_counts(planned);
  EXPECT_EQ(counts.total, kTransformer);
  EXPECT_EQ(counts.und_expert, kExpert);
  EXPECT_EQ(counts.gen_expert, kExpert);
  EXPECT_EQ(counts.vocabulary, 2 * 544'997'376);
  EXPECT_EQ(counts.vit, 437'095'328);
  EXPECT_EQ(counts.other, 28'912'192 + 2 * 3584);
  EXPECT_EQ(counts.adapters, 0);
  EXPECT_EQ(counts.trained_gen, kExpert);
}

TEST(PlannedModelTest, CountsOfAdapters) {
  RlRecipe recipe = bagel_recipe(64);
  recipe.lora.targets = {"*_moe_gen*"};
  PlannedModel planned = planned_model({}, recipe);
  const ParameterCounts counts = parameter_counts(planned);
  EXPECT_EQ(counts.adapters, kGenLora);
  EXPECT_EQ(counts.trained_gen, kGenLora);
  EXPECT_EQ(counts.trained_und, 0);
  EXPECT_EQ(counts.total, kTransformer);

  const StateBytes state = state_bytes(planned, true, 1);
  const int64_t linears =
      int64_t{28} * (233'058'048 - 2 * 3584 - 2 * 128 - 3584 - 2 * 512);  // without norms and biases
  EXPECT_EQ(state.adapters, 4 * kGenLora);
  EXPECT_EQ(state.bases, 2 * linears);
  EXPECT_EQ(state.masters, 0);
  EXPECT_EQ(state.moments, 8 * kGenLora);
  EXPECT_EQ(state.gradients, 4 * kGenLora);
  EXPECT_EQ(state.reference, 0);
}

TEST(PlannedModelTest, BytesOfAFullFineTune) {
  RlRecipe recipe = bagel_recipe();
  recipe.train.parameters = {"*moe_gen*"};
  PlannedModel planned = planned_model({}, recipe);
  constexpr int64_t kTrained = 6'525'628'928;
  const StateBytes state = state_bytes(planned, true, 1);
  EXPECT_EQ(state.weights, 2 * kTransformer);
  EXPECT_EQ(state.autoencoder, 4 * parameter_counts(planned).autoencoder);
  EXPECT_EQ(state.masters, 4 * kTrained);
  EXPECT_EQ(state.moments, 8 * kTrained);
  EXPECT_EQ(state.gradients, 4 * kTrained);
  EXPECT_EQ(state.reference, 2 * kTrained);
  EXPECT_EQ(state_bytes(planned, false, 1).reference, 0);

  // Dealt: the rank with most has half, and at most one matrix more.
  const StateBytes dealt = state_bytes(planned, true, 2);
  EXPECT_GE(dealt.moments, 4 * kTrained);
  EXPECT_LE(dealt.moments, 4 * kTrained + 8 * 3584 * 18944);
  EXPECT_EQ(2 * dealt.masters, dealt.moments);
  EXPECT_EQ(dealt.gradients, state.gradients);
}

// What a run is refused for on a small machine is no more than what the plan says that it needs.
TEST(PlannedModelTest, WhatARunKeepsIsInThePlan) {
  for (const int64_t rank : {0, 64}) {
    const RlRecipe recipe = bagel_recipe(rank);
    PlannedModel planned = planned_model({}, recipe);
    const PolicyOptions options = policy_options(recipe);
    const StateBytes state = state_bytes(planned, options.keeps_reference, 1);
    const int64_t kept = kept_bytes({}, at::kBFloat16, options, 1);
    const int64_t most =
        state.adapters + state.bases + state.masters + state.moments + state.gradients + state.reference;
    EXPECT_LE(kept, most);
    EXPECT_GE(kept, most - state.gradients / 2);  // sums of gradients may be in the weights' dtype
    EXPECT_LT(kept_bytes({}, at::kBFloat16, options, 2), kept);
  }
}

TEST(PlannedModelTest, Float32WeightsAreTheirOwnMasters) {
  RlRecipe recipe;
  PlannedModel planned = planned_model(tiny_config(), recipe);
  EXPECT_EQ(state_bytes(planned, true, 1).masters, 0);
}

TEST(RolloutMemoryTest, CacheAndTrajectoriesOfAnImage) {
  RlRecipe recipe = bagel_recipe();
  recipe.rollout.episode = "t2i";
  const PlannedModel planned = planned_model({}, recipe);
  const Workload work = bagel_work(recipe);
  // A request of 64 tokens with its markers, then the 4096 tokens of the image with theirs.
  EXPECT_EQ(rollout_bytes(planned.model, work, 1, 0, Kernels::cuda).cache, (66 + 4098) * 57'344);
  EXPECT_EQ(trajectory_bytes(work), (1 + 3 * 3) * 4096 * 64 * 4);
  EXPECT_EQ(chain_value_bytes(work), 3 * 4096 * 64 * 4);
}

TEST(RolloutMemoryTest, DecoderOfTheAutoencoder) {
  const PlannedModel planned = planned_model({}, bagel_recipe());
  // The first block at full size: 256 channels, normalised, and their SiLU.
  const int64_t one = int64_t{3} * 256 * 1024 * 1024 * 4;
  EXPECT_EQ(autoencoder_decode_bytes(planned.model.autoencoder, 1, 1024 * 1024), one);
  EXPECT_EQ(autoencoder_decode_bytes(planned.model.autoencoder, 24, 1024 * 1024), 2 * one);
  EXPECT_EQ(autoencoder_decode_bytes(planned.model.autoencoder, 24, 512 * 512), 2 * one);
  EXPECT_EQ(autoencoder_decode_bytes(planned.model.autoencoder, 100, 64 * 64), 64 * one / 256);
}

TEST(PassMemoryTest, ARecomputedLayerKeepsItsInput) {
  RlRecipe recipe = bagel_recipe();
  const PackShape pack = pack_shape(lay_out(update_pack(bagel_work(recipe), 1, 0)), 0);
  const auto kept = [&](int64_t layers) {
    ModelConfig config;
    config.layers = layers;
    return update_bytes(planned_model(config, recipe).model, pack, Kernels::cuda, /*recompute=*/true).kept;
  };
  EXPECT_EQ(kept(3) - kept(2), pack.rows() * 3584 * 2);
  EXPECT_EQ(pack.latent_rows, 3 * 4096);
}

TEST(MemoryPlanTest, PhasesWithoutWorkAreEmpty) {
  RlRecipe recipe = bagel_recipe();
  recipe.train.mini_batches = 1;
  recipe.train.velocity_mse_weight = 0;
  PlannedModel planned = planned_model({}, recipe);
  const MemoryPlan plan = plan_memory(planned, recipe, {});
  EXPECT_EQ(plan.total(2), 0);  // reference
  EXPECT_EQ(plan.total(3), 0);  // replay
  EXPECT_EQ(plan.peak(), plan.total(plan.peak_phase()));
  EXPECT_GT(plan.total(4), plan.total(0));
}

TEST(MemoryPlanTest, DealtWeightsLeaveUpdatesTheirShare) {
  RlRecipe recipe = bagel_recipe();
  recipe.train.recompute_layers = true;
  PlannedModel planned = planned_model({}, recipe);
  const PlanOptions eight{.ranks = 8};
  const MemoryPlan whole = plan_memory(planned, recipe, eight);
  recipe.train.shard_weights = true;
  const MemoryPlan dealt = plan_memory(planned, recipe, eight);
  EXPECT_EQ(dealt.total(kRollout), whole.total(kRollout));  // for sampling all have all of them
  // 13.05 billion weights of the layers: 7/8 of them in bfloat16, and of their float32 gradients.
  EXPECT_NEAR(static_cast<double>(whole.total(kOptimizer) - dealt.total(kOptimizer)), 13.05e9 * (2 + 4) * 7 / 8, 0.1e9);
  EXPECT_EQ(plan_memory(planned, recipe, {}).total(kOptimizer),
            plan_memory(planned, bagel_recipe(), {}).total(kOptimizer));
}

const PhaseCost& cost_of(const std::vector<PhaseCost>& costs, const std::string& name) {
  const auto found = std::find_if(costs.begin(), costs.end(), [&](const PhaseCost& cost) { return cost.name == name; });
  TORCH_CHECK(found != costs.end(), "no phase ", name);
  return *found;
}

// bagel.md 11: one forward of an image of 512 pixels.
TEST(CostPlanTest, OneDenoisingForward) {
  RlRecipe recipe = bagel_recipe();
  recipe.rollout.episode = "t2i";
  recipe.rollout.image_size = 512;
  recipe.rollout.updates = 5;
  recipe.prompts.per_step = 1;
  PlannedModel planned = planned_model({}, recipe);
  const Gpu gpu = gpu_named("h200");
  const std::vector<PhaseCost> costs = plan_costs(planned, recipe, {}, gpu, {});
  const double forwards = static_cast<double>(recipe.rollout.updates * recipe.train.group_size);
  const PhaseCost& denoising = cost_of(costs, "denoising");
  EXPECT_NEAR(denoising.flops / forwards, 13.4e12 + 0.45e12, 0.2e12);
  EXPECT_NEAR(denoising.seconds, denoising.flops / (0.5 * gpu.bfloat16_tflops * 1e12), 1e-9);
  EXPECT_EQ(cost_of(costs, "text decoding").flops, 0);
  EXPECT_EQ(cost_of(costs, "first pictures").seconds, 0);
  EXPECT_DOUBLE_EQ(cost_of(costs, "update").flops, 3 * cost_of(costs, "reference").flops);
}

TEST(CostPlanTest, AdaptersSpareTheWeightGradients) {
  RlRecipe recipe = bagel_recipe(64);
  PlannedModel planned = planned_model({}, recipe);
  const std::vector<PhaseCost> costs = plan_costs(planned, recipe, {}, gpu_named("h200"), {});
  EXPECT_GT(cost_of(costs, "update").flops, 2 * cost_of(costs, "reference").flops);
  EXPECT_LT(cost_of(costs, "update").flops, 2.2 * cost_of(costs, "reference").flops);
}

TEST(CostPlanTest, FirstPicturesOfARefinementAreSampled) {
  RlRecipe recipe = bagel_recipe(64);
  recipe.rollout.image_size = 512;
  recipe.rollout.guidance.text_scale = 4;
  recipe.rollout.guidance.interval = {0, 1};
  recipe.prompts.per_step = 3;
  const auto costs_of = [&](const std::string& episode, const PlanOptions& options) {
    recipe.rollout.episode = episode;
    PlannedModel planned = planned_model({}, recipe);
    return plan_costs(planned, recipe, options, gpu_named("h200"), {});
  };
  recipe.refine.initial_images = recipe.train.group_size;
  const std::vector<PhaseCost> painted = costs_of("t2i", {});
  const double expected = cost_of(painted, "prefill").flops + cost_of(painted, "denoising").flops +
                          cost_of(painted, "image decoding").flops;
  EXPECT_DOUBLE_EQ(cost_of(costs_of("reflect", {}), "first pictures").flops, expected);
  // Thoughts in front of what is painted cost their tokens too.
  recipe.refine.initial_episode = "think";
  EXPECT_GT(cost_of(costs_of("reflect", {}), "first pictures").flops, 1.001 * expected);
  recipe.refine.initial_episode = "t2i";
  recipe.refine.initial_images = 7;
  recipe.rollout.episode = "reflect";
  EXPECT_EQ(first_pictures({}, recipe, {})->chains, 21);
  EXPECT_EQ(first_pictures({}, recipe, {.ranks = 3})->chains, 7);
  recipe.rollout.episode = "think";
  EXPECT_FALSE(first_pictures({}, recipe, {}).has_value());
}

TEST(WorkloadTest, RanksWithoutPromptsAreIdle) {
  RlRecipe recipe = bagel_recipe();
  recipe.prompts.per_step = 32;
  EXPECT_EQ(idle_ranks(recipe, {.ranks = 32}), 0);
  EXPECT_EQ(idle_ranks(recipe, {.ranks = 33}), 1);
  EXPECT_EQ(idle_ranks(recipe, {.ranks = 64}), 32);
}

TEST(WorkloadTest, ExpectedThoughtsStayBelowTheCap) {
  RlRecipe recipe = bagel_recipe();
  recipe.rollout.max_think_tokens = 1024;
  EXPECT_EQ(workload_of({}, recipe, {.think_tokens = 1024}).think_tokens, 1024);
  EXPECT_EQ(workload_of({}, recipe, {}).think_tokens, 1024);
  expect_error([&] { workload_of({}, recipe, {.think_tokens = 1025}); }, ExitCode::usage,
               {"--think-tokens", "rollout.max_think_tokens = 1024", "1025"});
  expect_error([&] { workload_of({}, recipe, {.think_tokens = 0}); }, ExitCode::usage, {"--think-tokens", "t2i"});
  recipe.rollout.episode = "t2i";
  EXPECT_NO_THROW(workload_of({}, recipe, {.think_tokens = 0}));
}

TEST(AdviceTest, LeadsToWhatFits) {
  const int64_t limit = int64_t{70} << 30;
  const RlRecipe recipe = bagel_recipe(64);
  const std::vector<Advice> all = advise({}, recipe, {}, limit);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front().change, "train.recompute_layers=true");
  for (const Advice& advice : all) EXPECT_GT(advice.saved, 0);
  EXPECT_LE(all.back().peak, limit);
  EXPECT_TRUE(advise({}, recipe, {}, int64_t{1} << 40).empty());
}

std::vector<std::string> changes_in(const std::vector<Advice>& all) {
  std::vector<std::string> changes;
  for (const Advice& advice : all) {
    EXPECT_FALSE(advice.cost.empty()) << advice.change;
    changes.push_back(advice.change);
  }
  return changes;
}

RlRecipe full_recipe() {
  RlRecipe recipe = bagel_recipe();
  recipe.prompts.per_step = 32;
  recipe.train.recompute_layers = true;
  return recipe;
}

constexpr int64_t kPlannedOnH200 = int64_t{129} << 30;

// Sums of gradients in bfloat16 come first, as they take no card; those of dealt weights are float32 anyway.
TEST(AdviceTest, LeavesOutWhatLaterStepsMakeUseless) {
  const std::vector<Advice> all = advise({}, full_recipe(), {}, kPlannedOnH200);
  EXPECT_EQ(changes_in(all), (std::vector<std::string>{"--ranks=2", "train.shard_weights=true"}));
  EXPECT_LE(all.back().peak, kPlannedOnH200);
}

struct ToySetting {
  bool a = false, b = false, c = false;
  int64_t halved = 0;
};

TEST(AdviceTest, TriesToLeaveOutTheDearestFirst) {
  const auto list = [](auto... change) { return std::vector<SettingChange<ToySetting>>{change...}; };
  const SettingChange<ToySetting> a{
      [](ToySetting& toy) -> std::string { return std::exchange(toy.a, true) ? "" : "a=1"; }, "cheap"};
  const SettingChange<ToySetting> b{
      [](ToySetting& toy) -> std::string { return std::exchange(toy.b, true) ? "" : "b=1"; }, "dear"};
  const SettingChange<ToySetting> c{
      [](ToySetting& toy) -> std::string { return std::exchange(toy.c, true) ? "" : "c=1"; }, "dearest"};
  const auto peak_of = [](const ToySetting& toy) -> int64_t {
    return 100 - (toy.a ? 10 : 0) - (toy.b ? 20 : 0) - (toy.c ? 40 : 0);
  };
  const AdviceSearch<ToySetting> search({}, list(a, b, c), peak_of);
  EXPECT_EQ(changes_in(search.found(95)), (std::vector<std::string>{"a=1"}));
  EXPECT_EQ(changes_in(search.found(70)), (std::vector<std::string>{"a=1", "b=1"}));
  EXPECT_EQ(changes_in(search.found(50)), (std::vector<std::string>{"a=1", "c=1"}));
  EXPECT_EQ(changes_in(search.found(10)), (std::vector<std::string>{"a=1", "b=1", "c=1"}));
  EXPECT_TRUE(search.found(100).empty());
}

TEST(AdviceTest, StepsOfOneKindStandTogether) {
  const SettingChange<ToySetting> halve_once{[](ToySetting& toy) -> std::string {
                                               if (toy.halved == 2 || (toy.halved == 1 && !toy.b)) return "";
                                               return cat("h=", ++toy.halved);
                                             },
                                             "cheap"};
  const SettingChange<ToySetting> b{
      [](ToySetting& toy) -> std::string { return std::exchange(toy.b, true) ? "" : "b=1"; }, "dear"};
  const SettingChange<ToySetting> twice{
      [](ToySetting& toy) -> std::string { return toy.halved == 4 ? "" : cat("t=", toy.halved += 2); }, "cheap"};
  const auto peak_of = [](const ToySetting& toy) -> int64_t { return 100 - 10 * toy.halved - (toy.b ? 30 : 0); };
  // The second halving needs b, so that the steps stay in their order.
  const AdviceSearch<ToySetting> bound({}, {halve_once, b}, peak_of);
  EXPECT_EQ(changes_in(bound.found(50)), (std::vector<std::string>{"h=1", "b=1", "h=2"}));
  // Here it needs b to be worth saying.
  const auto peak_of_free = [](const ToySetting& toy) -> int64_t {
    return 100 - 10 * (toy.b ? toy.halved : std::min<int64_t>(2, toy.halved)) - (toy.b ? 30 : 0);
  };
  const AdviceSearch<ToySetting> free({}, {twice, b}, peak_of_free);
  EXPECT_EQ(changes_in(free.found(40)), (std::vector<std::string>{"t=4", "b=1"}));
}

TEST(AdviceTest, OneCardIsToldWhatItCouldTrain) {
  const std::vector<Advice> lesser = lesser_trainings({}, full_recipe(), {}, kPlannedOnH200);
  ASSERT_EQ(lesser.size(), 2u);
  EXPECT_EQ(lesser[0].change, "lora.rank=64 lora.alpha=128");
  EXPECT_EQ(lesser[0].cost, "trains adapters only");
  EXPECT_TRUE(lesser[1].change.starts_with("train.und_learning_rate=0")) << lesser[1].change;
  EXPECT_NE(lesser[1].cost.find("generation expert alone"), std::string::npos);
  for (const Advice& advice : lesser) {
    EXPECT_LE(advice.peak, kPlannedOnH200);
    EXPECT_GT(advice.saved, 0);
    EXPECT_EQ(advice.change.find("--ranks"), std::string::npos);
  }
  EXPECT_LT(lesser[0].peak, lesser[1].peak);
  // 24 GiB hold neither; adapters are less already, and so is one expert.
  EXPECT_TRUE(lesser_trainings({}, full_recipe(), {}, int64_t{22} << 30).empty());
  EXPECT_TRUE(lesser_trainings({}, bagel_recipe(64), {}, kPlannedOnH200).empty());
  RlRecipe alone = full_recipe();
  alone.train.und_learning_rate = 0;
  EXPECT_TRUE(lesser_trainings({}, alone, {}, kPlannedOnH200).empty());
}

SftRecipe supervised_recipe() {
  SftRecipe recipe;
  recipe.run.dtype = "bfloat16";
  recipe.train.batch = 32;
  recipe.train.examples_per_pack = 2;
  recipe.train.recompute_layers = true;
  recipe.train.parameters = {"language_model.model.layers.*"};
  recipe.data.source = "jsonl";
  return recipe;
}

TEST(SupervisedPlanTest, ExamplesAreDealtAndPacked) {
  const SftRecipe recipe = supervised_recipe();
  const SupervisedWork work = supervised_work({}, recipe, {.ranks = 5, .think_tokens = 200});
  EXPECT_EQ(work.examples, 7);
  EXPECT_EQ(work.in_pack, 2);
  EXPECT_EQ(work.grid, 64);  // 1024 pixels, the largest
  const PackLayout layout = lay_out(work.pack());
  EXPECT_EQ(layout.latent_rows, 2 * 4096);
  EXPECT_EQ(layout.und_rows(), 2 * (66 + 202 + 2));  // the request, the thought, the image's markers
  EXPECT_EQ(supervised_work({}, recipe, {.picture_pixels = 512}).grid, 32);
  EXPECT_EQ(supervised_work({}, recipe, {.ranks = 32}).in_pack, 1);
  EXPECT_EQ(supervised_work({}, recipe, {.ranks = 32, .think_tokens = 0}).example.size(), 2u);
}

TEST(SupervisedPlanTest, SourcesAndSystemPromptStandInFront) {
  SftRecipe recipe = supervised_recipe();
  recipe.train.examples_per_pack = 0;
  const auto rows = [&](const PlanOptions& options) {
    const SupervisedWork work = supervised_work({}, recipe, options);
    EXPECT_EQ(work.in_pack, 32);
    return lay_out(work.pack()).total_rows() / 32;
  };
  const int64_t alone = rows({.think_tokens = 200, .source_pictures = 0});
  EXPECT_EQ(rows({.think_tokens = 200}), alone);
  // Clean latents of 1024 pixels and the ViT's patches of 980 with their markers.
  EXPECT_EQ(rows({.think_tokens = 200, .source_pictures = 1}), alone + 4098 + 4902);
  recipe.data.source = "shapes";
  EXPECT_EQ(rows({.think_tokens = 200}), alone + 4098 + 4902);
  recipe.rollout.system_prompt = "bagel";
  EXPECT_GT(rows({.think_tokens = 200}), alone + 4098 + 4902 + 40);
  EXPECT_EQ(rows({.think_tokens = 0, .source_pictures = 0}), 66 + 4098);
}

TEST(SupervisedPlanTest, MemoryOfAStep) {
  SftRecipe recipe = supervised_recipe();
  PlannedModel planned = planned_model({}, recipe);
  const MemoryPlan plan = plan_memory(planned, recipe, {.think_tokens = 200});
  EXPECT_EQ(plan.total(kRollout), 0);
  // bfloat16 weights; float32 masters, moments and gradients of both experts; the float32 autoencoder; noisy latents
  // and velocities; the largest matrix before its update, with the mask of its changes.
  const int64_t largest = 3584 * 18944;
  EXPECT_EQ(plan.total(kOptimizer), 2 * kTransformer + 2 * kExpert * 16 + 4 * parameter_counts(planned).autoencoder +
                                        32 * 2 * 4096 * 64 * 4 + largest * 3);
  recipe.train.examples_per_pack = 1;
  const PackShape one = pack_shape(lay_out(supervised_work({}, recipe, {.think_tokens = 200}).pack()), 200);
  const UpdateBytes pass = update_bytes(planned.model, one, Kernels::cuda, /*recompute=*/true);
  const MemoryPlan smaller = plan_memory(planned, recipe, {.think_tokens = 200});
  EXPECT_EQ(smaller.total(kUpdate), smaller.total(kOptimizer) - largest * 3 + pass.kept + pass.working);
  EXPECT_GT(plan.total(kUpdate), smaller.total(kUpdate) + pass.kept / 2);
  recipe.train.examples_per_pack = 2;
  EXPECT_EQ(plan.peak_phase(), kUpdate);
  recipe.train.ema_decay = 0.999;
  const MemoryPlan averaged = plan_memory(planned, recipe, {.think_tokens = 200});
  EXPECT_NEAR(static_cast<double>(averaged.total(kUpdate) - plan.total(kUpdate)), 2.0 * kExpert * 4, 1e6);
}

TEST(SupervisedPlanTest, TimeAndAdvice) {
  SftRecipe recipe = supervised_recipe();
  PlannedModel planned = planned_model({}, recipe);
  const std::vector<PhaseCost> costs = plan_costs(planned, recipe, {.think_tokens = 200}, gpu_named("h200"), {});
  recipe.train.recompute_layers = false;
  const std::vector<PhaseCost> kept = plan_costs(planned, recipe, {.think_tokens = 200}, gpu_named("h200"), {});
  EXPECT_EQ(costs[1].name, "update");
  EXPECT_DOUBLE_EQ(costs[1].flops / 4, kept[1].flops / 3);
  // bagel.md 11: a forward of 1024 pixels, with the text in front of it.
  EXPECT_NEAR(kept[1].flops / 3 / 32, 53.5e12 + 7e12 + 270 * 2.0 * kExpert, 1.5e12);
  const int64_t limit = int64_t{115} << 30;
  const std::vector<Advice> all = advise({}, recipe, {.think_tokens = 200}, limit);
  ASSERT_FALSE(all.empty());
  EXPECT_EQ(all.front().change, "train.examples_per_pack=1");
  EXPECT_LE(all.back().peak, limit);
  // With a little more room the cards, which it needs anyway, do without smaller packs.
  EXPECT_EQ(changes_in(advise({}, recipe, {.think_tokens = 200}, int64_t{120} << 30)),
            (std::vector<std::string>{"train.recompute_layers=true", "--ranks=4"}));
}

TEST(GpuTableTest, UnknownCardsAreListed) {
  expect_error([] { gpu_named("h300"); }, ExitCode::usage, {"--gpu", "h200", "h300"});
}

}  // namespace
}  // namespace diptych
