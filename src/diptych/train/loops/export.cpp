#include "diptych/train/loops/export.h"

#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/model/folder/weight_differences.h"
#include "diptych/model/folder/weight_files.h"
#include "diptych/tensor/device.h"
#include "diptych/tensor/load.h"
#include "diptych/train/run/session.h"
#include "diptych/train/update/update_options.h"

namespace diptych {

namespace {

/** Throws if there are faults in a file that was written and read back. */
void require_none(const std::vector<std::string>& faults, const std::filesystem::path& file,
                  const std::string& expected) {
  if (faults.empty()) return;
  throw Error(
      ExitCode::mismatch,
      {file.string(), expected, cat(faults.size(), faults.size() == 1 ? " fault: " : " faults, such as: ", faults[0]),
       "the folder is not to be used; a full disk, a damaged one, or a bug: please report it"});
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  // Not at::equal, for which a NaN differs from itself.
  return a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         at::equal(a.contiguous().view(at::kByte), b.contiguous().view(at::kByte));
}

void require_tensors(const SafetensorsFile& stored, const std::vector<ParameterSlot>& slots) {
  std::vector<std::string> faults;
  for (const WeightDifference& difference : weight_differences(stored.tensors(), slots))
    faults.push_back(difference_text(difference));
  require_none(faults, stored.path(), cat("the model's ", slots.size(), " tensors"));
}

void check_weight_file(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, bool compact) {
  const SafetensorsFile stored = SafetensorsFile::open(file);
  require_tensors(stored, slots);
  std::vector<std::string> faults;
  for (const ParameterSlot& slot : slots) {
    const StoredTensor& tensor = stored.tensors().at(slot.name);
    const Tensor expected = slot.tensor->detach().to(at::kCPU, stored_dtype(slot.name, compact));
    if (!same_bytes(to_tensor(tensor), expected)) faults.push_back("other values in " + slot.name);
    stored.release(tensor);
  }
  require_none(faults, file, "the model's weights, bit for bit");
}

/** No policy trains the autoencoder, so it must be the base's. */
void check_autoencoder(const std::filesystem::path& file, const std::filesystem::path& base_folder) {
  const SafetensorsFile stored = SafetensorsFile::open(file);
  const StoredWeights base = open_autoencoder_weights(base_folder);
  std::vector<std::string> faults;
  for (const auto& [name, tensor] : stored.tensors())
    if (!same_bytes(to_tensor(tensor), to_tensor(base.tensors().at(name), at::kFloat, at::kCPU)))
      faults.push_back("other values in " + name);
  require_none(faults, file, cat("the weights of ", base.path().string(), ", bit for bit"));
}

/** What a reader of adapter_config.json takes from it. */
struct StatedAdapter {
  int64_t rank = 0;
  double alpha = 0;
  std::set<std::string> targets;
};

/** Options of adapter_config.json that would make another product of the same factors, with the values that do not. */
void require_plain_adapter(const nlohmann::json& config, const std::filesystem::path& file) {
  const std::map<std::string, nlohmann::json> plain = {{"peft_type", "LORA"},         {"bias", "none"},
                                                       {"fan_in_fan_out", false},     {"use_rslora", false},
                                                       {"use_dora", false},           {"lora_bias", false},
                                                       {"modules_to_save", nullptr},  {"layers_to_transform", nullptr},
                                                       {"layer_replication", nullptr}};
  for (const auto& [key, value] : plain)
    if (config.contains(key) && config[key] != value && !config[key].is_null())
      throw Error(ExitCode::mismatch, {cat(file.string(), ": ", key), value.dump(), config[key].dump(), ""});
  for (const char* key : {"alpha_pattern", "rank_pattern"})
    if (config.contains(key) && !config[key].empty())
      throw Error(ExitCode::mismatch,
                  {cat(file.string(), ": ", key), "none, one r and lora_alpha for all", config[key].dump(), ""});
}

StatedAdapter read_adapter_config(const std::filesystem::path& file) {
  try {
    const nlohmann::json config = nlohmann::json::parse(read_file(file));
    require_plain_adapter(config, file);
    return {config.at("r"), config.at("lora_alpha"), config.at("target_modules")};
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::mismatch,
                {file.string(), "an object with r, lora_alpha and target_modules", error.what(), ""});
  }
}

/** Puts the base folder and the adapter folder together as their readers do, by nothing but what the files say. */
void check_adapters(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& base_folder) {
  const std::filesystem::path config = folder / "adapter_config.json";
  const StatedAdapter stated = read_adapter_config(config);
  const std::vector<NamedLinear> linears = adapted_linears(model);
  std::vector<ParameterSlot> factors;
  std::set<std::string> unknown = stated.targets;
  std::vector<std::string> faults;
  for (const auto& [name, layer] : linears) {
    const int64_t rank = layer->adapter->down.size(0);
    if (stated.rank != rank) faults.push_back(cat("r ", stated.rank, ", while that of ", name, " is ", rank));
    if (unknown.erase(name) == 0) faults.push_back("no " + name);
    factors.push_back({peft_name(name, "lora_A"), &layer->adapter->down});
    factors.push_back({peft_name(name, "lora_B"), &layer->adapter->up});
  }
  for (const std::string& name : unknown) faults.push_back(name + ", which has no adapter");
  require_none(faults, config, cat("r and target_modules of ", linears.size(), " adapters"));

  const SafetensorsFile stored = SafetensorsFile::open(folder / "adapter_model.safetensors");
  require_tensors(stored, factors);
  const StoredWeights base = open_transformer_weights(base_folder);
  for (const auto& [name, layer] : linears) {
    const at::Device device = layer->weight.device();
    const auto read = [&](const char* factor) {
      return to_tensor(stored.tensors().at(peft_name(name, factor)), at::kFloat, device);
    };
    const StoredTensor& frozen = base.tensors().at(name + ".weight");
    const Tensor merged = merged_weight(to_tensor(frozen, layer->weight.scalar_type(), device), read("lora_B"),
                                        read("lora_A"), stated.alpha / static_cast<double>(stated.rank));
    base.release(frozen);
    if (!same_bytes(merged, layer->weight)) faults.push_back("another product for " + name);
  }
  require_none(faults, folder.string(),
               cat("adapters that, times lora_alpha ", stated.alpha, " / r ", stated.rank, " and added to ",
                   base_folder.string(), ", are the policy's weights, bit for bit"));
}

bool is_compact(const Bagel& model) {
  return model.embed_tokens.scalar_type() == at::kBFloat16;
}

}  // namespace

void check_model_folder(const std::filesystem::path& folder, Bagel& model, bool compact) {
  check_weight_file(folder / "ema.safetensors", transformer_slots(model), compact);
  check_weight_file(folder / "ae.safetensors", autoencoder_slots(model), compact);
}

void check_export(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& base) {
  check_model_folder(folder / "model", model, is_compact(model));
  check_autoencoder(folder / "model" / "ae.safetensors", base);
  if (!adapted_linears(model).empty()) check_adapters(folder / "adapter", model, base);
}

void export_policy(const std::filesystem::path& folder, Bagel& model, const AdapterOptions& adapters,
                   const std::filesystem::path& base) {
  save_model_folder(folder / "model", model, base, is_compact(model));
  if (adapters.rank > 0) save_adapters(folder / "adapter", model, adapters, base);
  check_export(folder, model, base);
  if (is_compact(model))
    for (const auto& [expert, share] : rounded_away(model))
      log_info(cat("adapters of ", expert, ": rounding to bfloat16 leaves out ", fixed(100 * share, 1),
                   " % of the change (docs/gpu.md)"));
}

int64_t export_run(const std::filesystem::path& run_folder, const std::filesystem::path& out) {
  const RlRecipe recipe = recipe_of_run<RlRecipe>(run_folder);
  const std::optional<LoadedCheckpoint> loaded = load_latest(run_folder);
  if (!loaded)
    throw Error(ExitCode::model, {run_folder.string(), "a run with a checkpoint", "none",
                                  "run.checkpoint_every says how often a run saves one"});
  TrainState current = loaded->state;
  current.base_hash = hash_model_folder(recipe.model);
  check_resumable(loaded->state, current);
  ModelFolder base = load_model_folder(recipe.model, compute_dtype(recipe.run.dtype));
  PolicyOptions options = policy_options(recipe);
  options.shard_weights = options.keeps_reference = options.adamw.updates =
      false;  // one process, which updates nothing
  TrainedPolicy policy(base.model, options);
  place_weights(*loaded, policy.restorable());
  policy.optimizer().round_masters();
  policy.restored();
  export_policy(out, base.model, options.adapters, recipe.model);
  return loaded->state.step;
}

}  // namespace diptych
