#include "diptych/tensor/torch.h"

#include "diptych/plan/cost_plan.h"

#include <algorithm>
#include <array>

#include "diptych/bench/bench_flops.h"
#include "diptych/plan/phase_clock.h"
#include "diptych/train/optimizer/trainable.h"

namespace diptych {

namespace {

double nbytes(const Tensor& tensor) {
  return static_cast<double>(tensor.nbytes());
}

/** The backward pass of adapters: two products of rank r on either side of each adapted linear. */
double adapter_flops(Bagel& model, const PackLayout& layout) {
  double flops = 0;
  for (const NamedLinear& linear : decoder_linears(model.decoder)) {
    if (!linear.layer->adapter) continue;
    const auto rows = static_cast<double>(is_generation_expert(linear.name) ? layout.latent_rows : layout.und_rows());
    const Adapter& adapter = *linear.layer->adapter;
    flops += 2 * rows * 2 * static_cast<double>(adapter.down.numel() + adapter.up.numel());
  }
  return flops;
}

using SamplingCosts = std::array<PhaseCost, 4>;

/** The phases of sampling all chains of a rank. */
SamplingCosts sampling_costs(Bagel& model, const Workload& work, int64_t chains_per_pack, const PhaseClock& clock) {
  const ModelConfig& config = model.config;
  const double both = decoder_bytes(model, true), und = decoder_bytes(model, false);
  const int64_t sampled = std::min(chains_per_pack, work.chains);
  const double chains = static_cast<double>(work.stages * work.chains);
  const double packs = chains / static_cast<double>(sampled);
  const double row_bytes = 2.0 * static_cast<double>(config.layers * config.kv_heads * config.head_dim) *
                           static_cast<double>(model.embed_tokens.element_size());
  const auto cached_bytes = [&](const std::vector<Segment>& pack) {
    double rows = 0;
    for (const Segment& segment : pack) rows += static_cast<double>(segment.cached.size());
    return rows * row_bytes;
  };

  PhaseCost prefill{"prefill"}, decode{"text decoding"}, denoise{"denoising"}, pixels{"image decoding"};
  clock.add(prefill, packs, pack_flops(config, prefill_pack(work, sampled), 0), both);
  if (work.stage.write) {
    // All steps as the one in the middle of the thought.
    const std::vector<Segment> step = decode_pack(work, sampled, work.think_tokens / 2);
    clock.add(decode, packs * static_cast<double>(work.think_tokens + 2),
              pack_flops(config, step, 0) + logits_flops(config, static_cast<double>(sampled)),
              und + nbytes(model.lm_head.weight) + cached_bytes(step));
  }
  const std::vector<double>& grid = work.episode.schedule.grid;
  for (size_t k = 0; work.stage.paint && k + 1 < grid.size(); ++k) {
    const std::vector<Segment> step = denoise_pack(work, sampled, work.think_tokens, grid[k]);
    clock.add(denoise, packs, pack_flops(config, step, 0), both + cached_bytes(step));
  }
  const int64_t side = work.grid * latent_token_pixels(config);
  if (work.stage.paint)
    clock.add_convolutions(pixels, chains, autoencoder_flops(model.autoencoder, side * side).decode);
  return {prefill, decode, denoise, pixels};
}

void add_phase(PhaseCost& sum, const PhaseCost& cost) {
  sum.flops += cost.flops;
  sum.bytes += cost.bytes;
  sum.seconds += cost.seconds;
}

}  // namespace

double optimizer_traffic(const StateBytes& state) {
  const auto moments = static_cast<double>(state.moments);
  return 2 * moments + moments + moments / 2;
}

double merge_traffic(PlannedModel& planned) {
  double bytes = 0;
  for (const NamedLinear& linear : decoder_linears(planned.model.decoder)) {
    if (!linear.layer->adapter) continue;
    const auto narrow = static_cast<double>(linear.layer->weight.element_size());
    bytes += (6 * narrow + 4 * sizeof(float)) * static_cast<double>(linear.layer->weight.numel());
  }
  return bytes;
}

std::vector<PhaseCost> plan_costs(PlannedModel& planned, const RlRecipe& recipe, const PlanOptions& options,
                                  const Gpu& gpu, const Efficiency& efficiency) {
  Bagel& model = planned.model;
  const ModelConfig& config = model.config;
  const Workload work = workload_of(config, recipe, options);
  const PhaseClock clock(recipe.run.dtype, gpu, efficiency);
  const double both = decoder_bytes(model, true);
  const double chains = static_cast<double>(work.stages * work.chains);
  const SamplingCosts sampling = sampling_costs(model, work, recipe.rollout.chains_per_pack, clock);
  PhaseCost first{"first pictures"};
  if (const std::optional<Workload> pictures = first_pictures(config, recipe, options))
    for (const PhaseCost& cost : sampling_costs(model, *pictures, recipe.rollout.chains_per_pack, clock))
      add_phase(first, cost);

  const int64_t trained = std::min(recipe.train.chains_per_pack, work.chains);
  const double passes = chains / static_cast<double>(trained);
  const std::vector<Segment> pack = update_pack(work, trained, work.think_tokens);
  const bool with_text = work.stage.write && work.replay.with_text;
  const double text_rows = with_text ? static_cast<double>(trained * work.think_tokens) : 0;
  const double forward = pack_flops(config, pack, /*cache_rows=*/-1) + logits_flops(config, text_rows);
  PhaseCost reference{"reference"}, replay{"replay"}, update{"update"}, optimizer{"optimizer"};
  if (work.penalised) clock.add(reference, passes, forward, both);
  if (work.replays_old) clock.add(replay, passes, forward, both);
  const bool adapted = recipe.lora.rank > 0;
  const double passes_worth = (adapted ? 2 : 3) + (recipe.train.recompute_layers ? 1 : 0);
  const double updated = passes_worth * forward + (adapted ? adapter_flops(model, lay_out(pack)) : 0);
  clock.add(update, passes * static_cast<double>(recipe.train.epochs), updated, passes_worth * both);
  const StateBytes state = state_bytes(planned, work.penalised, options.ranks);
  const auto steps = static_cast<double>(recipe.train.mini_batches * recipe.train.epochs);
  clock.add(optimizer, steps, 0, optimizer_traffic(state) + merge_traffic(planned));
  // A merge reads the frozen weights. The reference comes and goes: with adapters that is theirs and a merge, else both
  // ways twice.
  clock.add_transfers(optimizer, steps, static_cast<double>(state.bases));
  if (work.penalised) clock.add_transfers(reference, 1, static_cast<double>(2 * state.bases + 4 * state.reference));
  const auto& [prefill, decode, denoise, pixels] = sampling;
  return {first, prefill, decode, denoise, pixels, reference, replay, update, optimizer};
}

}  // namespace diptych
