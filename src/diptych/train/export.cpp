#include "diptych/train/export.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/device.h"
#include "diptych/tensor/load.h"
#include "diptych/train/policy_update.h"
#include "diptych/train/session.h"

namespace diptych {

namespace {

void require_none(const std::vector<std::string>& different, const std::filesystem::path& file) {
  if (different.empty()) return;
  throw Error(ExitCode::mismatch,
              {file.string(), "the weights of the live policy, bit for bit",
               cat(different.size(), " other tensors, such as ", different.front()),
               "the export is not to be used; a full disk, a damaged one, or a bug: please report it"});
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  // Not at::equal, for which a NaN differs from itself.
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         at::equal(a.contiguous().view(at::kByte), b.contiguous().view(at::kByte));
}

void check_model(const std::filesystem::path& file, Bagel& model) {
  const SafetensorsFile stored = SafetensorsFile::open(file);
  std::vector<std::string> different;
  for (const ParameterSlot& slot : transformer_slots(model)) {
    const auto found = stored.tensors().find(slot.name);
    const bool same = found != stored.tensors().end() &&
                      same_bytes(to_tensor(found->second).to(slot.tensor->scalar_type()), slot.tensor->detach().cpu());
    if (!same) different.push_back(slot.name);
  }
  require_none(different, file);
}

void check_adapters(const std::filesystem::path& file, Bagel& model, double scale) {
  const SafetensorsFile stored = SafetensorsFile::open(file);
  std::vector<std::string> different;
  for (const auto& [name, layer] : adapted_linears(model)) {
    const auto read = [&](const char* factor) {
      return to_tensor(stored.tensors().at(peft_name(name, factor))).to(layer->weight.device());
    };
    const Tensor merged = merged_weight(layer->adapter->base, read("lora_B"), read("lora_A"), scale);
    if (!same_bytes(merged, layer->weight)) different.push_back(name);
  }
  require_none(different, file);
}

}  // namespace

void export_policy(const std::filesystem::path& folder, Bagel& model, const AdapterOptions& adapters,
                   const std::filesystem::path& base) {
  const bool compact = model.embed_tokens.scalar_type() == at::kBFloat16;
  save_model_folder(folder / "model", model, base, compact);
  check_model(folder / "model" / "ema.safetensors", model);
  if (adapters.rank == 0) return;
  save_adapters(folder / "adapter", model, adapters, base);
  check_adapters(folder / "adapter" / "adapter_model.safetensors", model,
                 adapters.alpha / static_cast<double>(adapters.rank));
}

int64_t export_run(const std::filesystem::path& run_folder, const std::filesystem::path& out) {
  const auto recipe = load_config<RlRecipe>(run_folder / "recipe.toml", {});
  const std::optional<LoadedCheckpoint> loaded = load_latest(run_folder);
  if (!loaded)
    throw Error(ExitCode::model, {run_folder.string(), "a run with a checkpoint", "none",
                                  "run.checkpoint_every says how often a run saves one"});
  TrainState current = loaded->state;
  current.base_hash = hash_model_folder(recipe.model);
  current.reference_hash = current.base_hash;
  check_resumable(loaded->state, current);
  ModelFolder base = load_model_folder(recipe.model, compute_dtype(recipe.run.dtype));
  PolicyOptions options = policy_options(recipe);
  options.shard_weights = options.keeps_reference = false;  // one process, which updates nothing
  TrainedPolicy policy(base.model, options);
  place_weights(*loaded, policy.restorable());
  policy.optimizer().round_masters();
  policy.restored();
  export_policy(out, base.model, options.adapters, recipe.model);
  return loaded->state.step;
}

}  // namespace diptych
