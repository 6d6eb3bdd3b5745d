#include "diptych/tensor/torch.h"

#include "diptych/plan/supervised_plan.h"

#include <algorithm>

#include "diptych/bench/bench_flops.h"
#include "diptych/plan/advice_search.h"
#include "diptych/plan/pass_memory.h"
#include "diptych/plan/phase_clock.h"
#include "diptych/rollout/context.h"

namespace diptych {

namespace {

bool starts_from_pictures(const DataConfig& data) {
  const ShapesMixture& mixture = data.mixture;
  return data.source == "shapes" &&
         mixture.question + mixture.rating + mixture.edit + mixture.reflect + mixture.review > 0;
}

struct SupervisedSetting {
  SftRecipe recipe;
  PlanOptions options;
};

const std::vector<SettingChange<SupervisedSetting>>& changes_of_supervised() {
  static const std::vector<SettingChange<SupervisedSetting>> list = {
      {round_weights<SupervisedSetting>, kCostOfRounding},
      {[](SupervisedSetting& setting) {
         int64_t& examples = setting.recipe.train.examples_per_pack;
         const int64_t of_rank = (setting.recipe.train.batch + setting.options.ranks - 1) / setting.options.ranks;
         examples = examples == 0 ? of_rank : std::min(examples, of_rank);
         return halve("train.examples_per_pack", examples);
       },
       kCostOfSmallPacks},
      {recompute_layers<SupervisedSetting>, kCostOfRecomputing},
      {[](SupervisedSetting& setting) { return double_ranks(setting.options.ranks, setting.recipe.train.batch); },
       kCostOfRanks},
      {[](SupervisedSetting& setting) -> std::string {
         if (setting.recipe.train.ema_decay == 0) return "";
         setting.recipe.train.ema_decay = 0;
         return "train.ema_decay=0";
       },
       "no moving average"}};
  return list;
}

}  // namespace

PlannedModel planned_model(const ModelConfig& config, const SftRecipe& recipe) {
  return planned_model(config, recipe.run.dtype, policy_options(recipe));
}

std::vector<Segment> SupervisedWork::pack() const {
  std::vector<Segment> pack;
  for (int64_t i = 0; i < in_pack; ++i) add_chain(pack, example);
  return pack;
}

SupervisedWork supervised_work(const ModelConfig& config, const SftRecipe& recipe, const PlanOptions& options) {
  SupervisedWork work;
  work.examples = (recipe.train.batch + options.ranks - 1) / options.ranks;
  work.in_pack =
      recipe.train.examples_per_pack > 0 ? std::min(recipe.train.examples_per_pack, work.examples) : work.examples;
  work.pixels = options.picture_pixels >= 0 ? options.picture_pixels : config.vae_transform.max_long;
  work.grid = planned_grid(config, work.pixels);
  work.think_tokens = options.think_tokens >= 0 ? options.think_tokens : recipe.rollout.max_think_tokens;
  work.sources = options.source_pictures >= 0 ? options.source_pictures : starts_from_pictures(recipe.data) ? 1 : 0;
  // As make_supervised_pack does.
  std::vector<Segment>& chain = work.example;
  const std::string system_prompt = episode_options(recipe.rollout, 0).system_prompt;
  if (work.think_tokens > 0 && !system_prompt.empty()) append_planned_text(chain, planned_tokens(system_prompt));
  for (int64_t i = 0; i < work.sources; ++i) append_planned_image(chain, config, work.pixels);
  append_planned_text(chain, options.prompt_tokens);
  if (work.think_tokens > 0)
    append_segment(chain,
                   text_segment(std::vector<int64_t>(static_cast<size_t>(work.think_tokens + kTextMarkers)), -1, 0));
  append_segment(chain, planned_noisy_image(work.grid, -1));
  return work;
}

int64_t idle_ranks(const SftRecipe& recipe, const PlanOptions& options) {
  return std::max<int64_t>(0, options.ranks - recipe.train.batch);
}

MemoryPlan plan_memory(PlannedModel& planned, const SftRecipe& recipe, const PlanOptions& options) {
  const SupervisedWork work = supervised_work(planned.model.config, recipe, options);
  const StateBytes state = state_bytes(planned, /*keeps_reference=*/false, options.ranks);
  const PackShape pack = pack_shape(lay_out(work.pack()), work.in_pack * work.think_tokens);
  const UpdateBytes pass =
      update_bytes(planned.model, pack, kernels_on_gpu(recipe.run.dtype), recipe.train.recompute_layers);
  // Latents of the noisy image and the velocity to learn, and of the sources.
  const int64_t maps = work.examples * (2 + work.sources);
  const int64_t latents =
      maps * work.grid * work.grid * latent_token_width(planned.model.config) * static_cast<int64_t>(sizeof(float));
  const std::vector<size_t> all = {kLoad, kUpdate, kOptimizer};
  MemoryPlan plan;
  plan.rows = {memory_row("weights", state.weights, all),
               memory_row("autoencoder", state.autoencoder, all),
               memory_row("float32 masters", state.masters, all),
               memory_row("Adam moments", state.moments, all),
               memory_row("moving average", recipe.train.ema_decay > 0 ? state.moments / 2 : 0, all),
               memory_row("gradients", state.gradients, {kUpdate, kOptimizer}),
               memory_row("examples", latents, {kUpdate, kOptimizer}),
               memory_row("activations kept", pass.kept, {kUpdate}),
               memory_row("at work", pass.working, {kUpdate})};
  plan.rows.back().bytes[kOptimizer] = state.optimizer_step;
  return plan;
}

std::vector<PhaseCost> plan_costs(PlannedModel& planned, const SftRecipe& recipe, const PlanOptions& options,
                                  const Gpu& gpu, const Efficiency& efficiency) {
  Bagel& model = planned.model;
  const SupervisedWork work = supervised_work(model.config, recipe, options);
  const PhaseClock clock(recipe.run.dtype, gpu, efficiency);
  const auto examples = static_cast<double>(work.examples);
  const int64_t side = work.grid * latent_token_pixels(model.config);
  PhaseCost pixels{"image encoding"}, update{"update"}, optimizer{"optimizer"};
  clock.add_convolutions(pixels, examples * static_cast<double>(1 + work.sources),
                         autoencoder_flops(model.autoencoder, side * side).encode);
  const double forward = pack_flops(model.config, work.pack(), /*cache_rows=*/-1) +
                         logits_flops(model.config, static_cast<double>(work.in_pack * work.think_tokens));
  const double passes_worth = recipe.train.recompute_layers ? 4 : 3;
  clock.add(update, examples / static_cast<double>(work.in_pack), passes_worth * forward,
            passes_worth * decoder_bytes(model, true));
  const StateBytes state = state_bytes(planned, false, options.ranks);
  // The moving average is read and written, the masters are read.
  const double averaging = recipe.train.ema_decay > 0 ? 1.5 * static_cast<double>(state.moments) : 0;
  clock.add(optimizer, 1, 0, optimizer_traffic(state) + averaging);
  return {pixels, update, optimizer};
}

std::vector<Advice> advise(const ModelConfig& config, const SftRecipe& recipe, const PlanOptions& options,
                           int64_t limit) {
  const auto peak_of = [&](const SupervisedSetting& setting) {
    PlannedModel planned = planned_model(config, setting.recipe);
    return plan_memory(planned, setting.recipe, setting.options).peak();
  };
  return AdviceSearch<SupervisedSetting>({recipe, options}, changes_of_supervised(), peak_of).found(limit);
}

}  // namespace diptych
