#include "diptych/tensor/torch.h"

#include "diptych/plan/supervised_plan.h"

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/io/resize.h"
#include "diptych/plan/advice_search.h"
#include "diptych/plan/pass_memory.h"
#include "diptych/plan/phase_clock.h"

namespace diptych {

namespace {

constexpr int64_t kMostRanksOffered = 64;

int64_t grid_of_picture(const ModelConfig& config, int64_t pixels) {
  const auto& [max_long, min_short, stride] = config.vae_transform;
  const auto side = static_cast<int>(pixels >= 0 ? pixels : max_long);
  return resized_size(side, side, {max_long, min_short, stride}).first / latent_token_pixels(config);
}

struct SupervisedSetting {
  SftRecipe recipe;
  PlanOptions options;
};

const std::vector<SettingChange<SupervisedSetting>>& changes_of_supervised() {
  static const std::vector<SettingChange<SupervisedSetting>> list = {
      [](SupervisedSetting& setting) -> std::string {
        if (setting.recipe.run.dtype == "bfloat16") return "";
        setting.recipe.run.dtype = "bfloat16";
        return "run.dtype=bfloat16";
      },
      [](SupervisedSetting& setting) {
        int64_t& examples = setting.recipe.train.examples_per_pack;
        const int64_t of_rank = (setting.recipe.train.batch + setting.options.ranks - 1) / setting.options.ranks;
        examples = examples == 0 ? of_rank : std::min(examples, of_rank);
        return halve("train.examples_per_pack", examples);
      },
      [](SupervisedSetting& setting) -> std::string {
        if (setting.recipe.train.recompute_layers) return "";
        setting.recipe.train.recompute_layers = true;
        return "train.recompute_layers=true";
      },
      [](SupervisedSetting& setting) -> std::string {
        // Examples are dealt: with fewer than one each, ranks would idle.
        if (2 * setting.options.ranks > std::min(kMostRanksOffered, setting.recipe.train.batch)) return "";
        setting.options.ranks *= 2;
        return cat("--ranks=", setting.options.ranks);
      },
      [](SupervisedSetting& setting) -> std::string {
        if (setting.recipe.train.ema_decay == 0) return "";
        setting.recipe.train.ema_decay = 0;
        return "train.ema_decay=0";
      }};
  return list;
}

}  // namespace

PlannedModel planned_model(const ModelConfig& config, const SftRecipe& recipe) {
  return planned_model(config, recipe.run.dtype, policy_options(recipe));
}

std::vector<Segment> SupervisedWork::pack() const {
  std::vector<Segment> pack;
  for (int64_t i = 0; i < in_pack; ++i) {
    const auto first = static_cast<int64_t>(pack.size());
    for (const Segment& segment : example) {
      pack.push_back(segment);
      if (segment.parent >= 0) pack.back().parent += first;
    }
  }
  return pack;
}

SupervisedWork supervised_work(const ModelConfig& config, const SftRecipe& recipe, const PlanOptions& options) {
  SupervisedWork work;
  work.examples = (recipe.train.batch + options.ranks - 1) / options.ranks;
  work.in_pack =
      recipe.train.examples_per_pack > 0 ? std::min(recipe.train.examples_per_pack, work.examples) : work.examples;
  work.grid = grid_of_picture(config, options.picture_pixels);
  work.think_tokens = options.think_tokens >= 0 ? options.think_tokens : recipe.rollout.max_think_tokens;
  const auto last = [&] { return static_cast<int64_t>(work.example.size()) - 1; };
  const std::string& system_prompt = episode_options(recipe.rollout, 0).system_prompt;
  if (!system_prompt.empty())
    work.example.push_back(planned_text(planned_tokens(system_prompt) + kTextMarkers, last()));
  work.example.push_back(planned_text(options.prompt_tokens + kTextMarkers, last()));
  if (work.think_tokens > 0) work.example.push_back(planned_text(work.think_tokens + kTextMarkers, last()));
  work.example.push_back(planned_image(work.grid, last()));
  return work;
}

MemoryPlan plan_memory(PlannedModel& planned, const SftRecipe& recipe, const PlanOptions& options) {
  enum Phase : size_t { load, update = 4, optimizer = 5 };
  const SupervisedWork work = supervised_work(planned.model.config, recipe, options);
  const StateBytes state = state_bytes(planned, /*keeps_reference=*/false, options.ranks);
  const PackShape pack = pack_shape(lay_out(work.pack()), work.in_pack * work.think_tokens);
  const UpdateBytes pass = update_bytes(planned.model, pack, Kernels::cuda, recipe.train.recompute_layers);
  // Noisy latents and the velocities to learn.
  const int64_t latents =
      2 * work.grid * work.grid * latent_token_width(planned.model.config) * static_cast<int64_t>(sizeof(float));
  MemoryPlan plan;
  const auto add = [&](const char* name, int64_t bytes, const std::vector<size_t>& phases) {
    MemoryRow row{name, {}};
    for (const size_t phase : phases) row.bytes[phase] = bytes;
    plan.rows.push_back(row);
  };
  const std::vector<size_t> all = {load, update, optimizer};
  add("weights", state.weights, all);
  add("autoencoder", state.autoencoder, all);
  add("float32 masters", state.masters, all);
  add("Adam moments", state.moments, all);
  add("moving average", recipe.train.ema_decay > 0 ? state.moments / 2 : 0, all);
  add("gradients", state.gradients, {update, optimizer});
  add("examples", work.examples * latents, {update, optimizer});
  add("activations kept", pass.kept, {update});
  add("at work", 0, {});
  plan.rows.back().bytes[update] = pass.working;
  plan.rows.back().bytes[optimizer] = state.optimizer_step;
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
  clock.add_convolutions(pixels, examples, autoencoder_flops(model.autoencoder, side * side).encode);
  const double forward = pack_flops(model.config, work.pack(), /*cache_rows=*/-1) +
                         logits_flops(model.config, static_cast<double>(work.in_pack * work.think_tokens));
  const double passes_worth = recipe.train.recompute_layers ? 4 : 3;
  clock.add(update, examples / static_cast<double>(work.in_pack), passes_worth * forward,
            passes_worth * decoder_bytes(model, true));
  clock.add(optimizer, 1, 0, optimizer_traffic(state_bytes(planned, false, options.ranks)));
  return {pixels, update, optimizer};
}

std::vector<Advice> advise(const ModelConfig& config, const SftRecipe& recipe, const PlanOptions& options,
                           int64_t limit) {
  const auto peak_of = [&](const SupervisedSetting& setting) {
    PlannedModel planned = planned_model(config, setting.recipe);
    return plan_memory(planned, setting.recipe, setting.options).peak();
  };
  return search_advice<SupervisedSetting>({recipe, options}, changes_of_supervised(), peak_of, limit);
}

}  // namespace diptych
