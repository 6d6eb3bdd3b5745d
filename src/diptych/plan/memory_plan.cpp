#include "diptych/tensor/torch.h"

#include "diptych/plan/memory_plan.h"

#include <algorithm>

#include "diptych/plan/pass_memory.h"
#include "diptych/plan/rollout_memory.h"

namespace diptych {

namespace {

/** What dealt layers (train/optimizer/dealt_layers.h) change while updates are under way. */
struct Dealing {
  int64_t spared = 0;        // weights of the layers that other ranks keep
  int64_t at_work = 0;       // a layer, and its gradients on their way
  int64_t gradients_of = 1;  // ranks that share the gradients
};

Dealing dealing_of(PlannedModel& planned, const RlRecipe& recipe, int64_t ranks) {
  if (!recipe.train.shard_weights || ranks == 1) return {};
  std::vector<ParameterSlot> slots;
  collect(slots, planned.model.decoder);
  int64_t bytes = 0, trained = 0;
  for (const ParameterSlot& slot : slots) {
    bytes += static_cast<int64_t>(slot.tensor->nbytes());
    if (slot.tensor->requires_grad()) trained += slot.tensor->numel();
  }
  const auto layers = static_cast<int64_t>(planned.model.decoder.layers.size());
  return {.spared = bytes - bytes / ranks,
          .at_work = (bytes + trained * static_cast<int64_t>(sizeof(float))) / layers,
          .gradients_of = ranks};
}

}  // namespace

MemoryRow memory_row(const std::string& name, int64_t bytes, const std::vector<size_t>& phases) {
  MemoryRow made{name, {}};
  for (const size_t phase : phases) made.bytes[phase] = bytes;
  return made;
}

int64_t MemoryPlan::total(size_t phase) const {
  int64_t sum = 0;
  for (const MemoryRow& row : rows) sum += row.bytes[phase];
  return sum;
}

size_t MemoryPlan::peak_phase() const {
  size_t most = 0;
  for (size_t phase = 1; phase < kMemoryPhases; ++phase)
    if (total(phase) > total(most)) most = phase;
  return most;
}

MemoryPlan plan_memory(PlannedModel& planned, const RlRecipe& recipe, const PlanOptions& options) {
  const Bagel& model = planned.model;
  const Workload work = workload_of(model.config, recipe, options);
  const StateBytes state =
      state_bytes(planned, work.penalised, options.ranks,
                  recipe.train.gradient_dtype == "bfloat16" && !(recipe.train.shard_weights && options.ranks > 1));
  const int64_t cap = recipe.rollout.max_think_tokens;
  const Kernels kernels = kernels_on_gpu(recipe.run.dtype);

  const int64_t sampled = std::min(recipe.rollout.chains_per_pack, work.chains);
  const RolloutBytes sampling = rollout_bytes(model, work, sampled, cap, kernels);
  const int64_t trained = std::min(recipe.train.chains_per_pack, work.chains);
  const bool with_text = work.stage.write && work.replay.with_text;
  const PackShape pack = pack_shape(lay_out(update_pack(work, trained, cap)), with_text ? trained * cap : 0);
  const UpdateBytes pass = update_bytes(model, pack, kernels, recipe.train.recompute_layers);
  const int64_t without_gradient = forward_bytes(model, pack, kernels);
  const int64_t chains = work.stages * work.chains;

  std::vector<size_t> all = {kLoad, kRollout, kUpdate, kOptimizer};
  if (work.replays_old) all.push_back(kReplay);
  if (work.penalised) all.push_back(kReference);

  const Dealing dealing = dealing_of(planned, recipe, options.ranks);
  MemoryPlan plan;
  plan.rows = {memory_row("weights", state.weights, all),
               memory_row("autoencoder", state.autoencoder, all),
               memory_row("adapters", state.adapters, all),
               memory_row("float32 masters", state.masters, all),
               memory_row("Adam moments", state.moments, all),
               memory_row("gradients", state.gradients / dealing.gradients_of, {kUpdate, kOptimizer}),
               memory_row("KV cache", sampling.cache, {kRollout}),
               memory_row("activations kept", pass.kept, {kUpdate}),
               memory_row("at work", 0, {})};
  for (const size_t phase : {kUpdate, kOptimizer}) plan.rows.front().bytes[phase] -= dealing.spared;
  std::array<int64_t, kMemoryPhases>& working = plan.rows.back().bytes;
  working[kRollout] = std::max({sampling.texts, sampling.denoise, sampling.decode});
  if (work.replays_old) working[kReplay] = without_gradient;
  if (work.penalised) working[kReference] = std::max(without_gradient, state.reference_swap);
  working[kUpdate] = pass.working + dealing.at_work;
  working[kOptimizer] = state.optimizer_step;
  plan.host = {{"reference weights", state.reference + state.bases},
               {"trajectories", chains * trajectory_bytes(work)},
               {"reference values", work.penalised ? chains * chain_value_bytes(work) : 0},
               {"old values", chains * chain_value_bytes(work)}};
  return plan;
}

}  // namespace diptych
