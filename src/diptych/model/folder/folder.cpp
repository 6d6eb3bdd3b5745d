#include "diptych/model/folder/folder.h"

#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/atomic_file.h"
#include "diptych/io/disk_space.h"
#include "diptych/io/files.h"
#include "diptych/io/memory_space.h"
#include "diptych/model/folder/load_weights.h"
#include "diptych/model/layers/kernel_check.h"
#include "diptych/tensor/tensor_writer.h"

namespace diptych {

namespace {

constexpr const char* kWeightIndex = "model.safetensors.index.json";
constexpr uintmax_t kLargestSmallFile = uintmax_t{64} << 20;

std::string expected_files_hint() {
  return "a BAGEL folder holds config.json, llm_config.json, vit_config.json, ema.safetensors, ae.safetensors, "
         "tokenizer_config.json, vocab.json and merges.txt";
}

std::vector<PlannedTensor> planned(const std::vector<ParameterSlot>& slots, const WeightSource& source, bool compact) {
  std::vector<PlannedTensor> tensors;
  for (const ParameterSlot& slot : slots) {
    tensors.push_back({.name = slot.name,
                       .dtype = stored_dtype(slot.name, compact),
                       .shape = slot.tensor->sizes().vec(),
                       .make = [slot, &source] { return source(slot); }});
  }
  return tensors;
}

/** What other programs read to learn which file holds a weight. */
void write_weight_index(const std::filesystem::path& folder, const std::vector<PlannedTensor>& transformer,
                        const std::vector<PlannedTensor>& autoencoder) {
  nlohmann::ordered_json files = nlohmann::ordered_json::object();
  for (const PlannedTensor& tensor : transformer) files[tensor.name] = "ema.safetensors";
  for (const PlannedTensor& tensor : autoencoder) files[tensor.name] = "ae.safetensors";
  const nlohmann::ordered_json index = {
      {"metadata", {{"total_size", planned_bytes(transformer) + planned_bytes(autoencoder)}}}, {"weight_map", files}};
  write_file_atomic(folder / kWeightIndex, index.dump(2) + "\n");
}

/** Whether a file of a model folder is to be copied with it: no weights, in whatever form, and nothing about them. */
bool is_small_file(const std::filesystem::directory_entry& entry) {
  static const std::set<std::string> kWeights = {".bin", ".ckpt", ".gguf", ".h5", ".onnx", ".pt", ".pth"};
  const std::filesystem::path name = entry.path().filename();
  return entry.is_regular_file() && !is_unfinished_file(name) && !kWeights.contains(name.extension().string()) &&
         name.string().find(".safetensors") == std::string::npos && entry.file_size() <= kLargestSmallFile;
}

void copy_small_files(const std::filesystem::path& base, const std::filesystem::path& folder) {
  if (std::filesystem::equivalent(base, folder)) return;
  for (const auto& entry : std::filesystem::directory_iterator(base))
    if (is_small_file(entry)) write_file_atomic(folder / entry.path().filename(), read_file(entry.path()));
}

/** Whether a folder's config files say what a model computes with. The sides of the position tables do not matter: they
 *  are read off the weights. */
bool states_config(const std::filesystem::path& folder, const ModelConfig& config) {
  ModelConfig stated = load_model_config(folder);
  stated.max_latent_size = config.max_latent_size;
  stated.vit_max_patches_per_side = config.vit_max_patches_per_side;
  return stated == config;
}

at::ScalarType autoencoder_dtype(at::ScalarType of_transformer) {
  return of_transformer == at::kDouble ? at::kDouble : at::kFloat;
}

}  // namespace

SpecialTokens special_tokens(const Tokenizer& tokenizer) {
  return {tokenizer.im_start(), tokenizer.im_end(), tokenizer.vision_start(), tokenizer.vision_end()};
}

void require_room_for(Bagel& model, const std::string& name, at::ScalarType dtype, at::Device device,
                      int64_t kept_beside) {
  if (!device.is_cpu()) return;
  int64_t bytes = kept_beside;
  const auto add = [&](const std::vector<ParameterSlot>& slots, at::ScalarType type) {
    for (const ParameterSlot& slot : slots)
      bytes += slot.tensor->numel() * static_cast<int64_t>(c10::elementSize(type));
  };
  add(transformer_slots(model), dtype);
  add(autoencoder_slots(model), autoencoder_dtype(dtype));
  const bool is_compact = dtype == at::kBFloat16;
  std::string hint = kept_beside > 0 ? "`diptych plan RECIPE` tells what to change first; " : "";
  if (!is_compact) hint += "in bfloat16 (dtype) weights take half; ";
  require_memory(name,
                 cat("the weights in ",
                     is_compact             ? "bfloat16"
                     : dtype == at::kDouble ? "float64"
                                            : "float32",
                     kept_beside > 0 ? " and what training keeps beside them" : ""),
                 bytes, memory_space(), hint + "a machine with more memory, or a GPU (device cuda), has room");
}

ModelFolder load_model_folder(const std::filesystem::path& folder, at::ScalarType dtype, at::Device device,
                              const std::function<int64_t(const ModelConfig&)>& kept_beside) {
  if (!std::filesystem::is_directory(folder))
    throw Error(ExitCode::model, {folder.string(), "a model folder", "no such folder", expected_files_hint()});
  require_sound_kernels(device, dtype);
  const ModelConfig stated = load_model_config(folder);
  StoredWeights transformer_weights = open_transformer_weights(folder);
  const StoredWeights autoencoder_weights = open_autoencoder_weights(folder);
  ModelConfig config = with_stored_tables(stated, transformer_weights);
  transformer_weights.tie_head(config);
  config.tied_head = false;
  ModelFolder loaded{make_bagel(config), Tokenizer::load(folder)};
  Bagel& model = loaded.model;
  model.special = special_tokens(loaded.tokenizer);
  if (loaded.tokenizer.size() > model.config.vocabulary)
    throw Error(ExitCode::model, {folder.string(), cat("at most ", model.config.vocabulary, " tokens (vocab_size)"),
                                  cat(loaded.tokenizer.size(), " in the tokenizer files"), ""});
  const std::vector<ParameterSlot> transformer = transformer_slots(model);
  const std::vector<ParameterSlot> autoencoder = autoencoder_slots(model);
  require_weights(transformer_weights, transformer);
  require_weights(autoencoder_weights, autoencoder);
  require_room_for(model, folder.string(), dtype, device, kept_beside ? kept_beside(config) : 0);
  read_weights(transformer_weights, transformer, dtype, device);
  read_weights(autoencoder_weights, autoencoder, autoencoder_dtype(dtype), device);
  return loaded;
}

at::ScalarType stored_dtype(const std::string& weight, bool compact) {
  const bool is_precise =
      weight.ends_with("_pos_embed.pos_embed") || weight.starts_with("encoder.") || weight.starts_with("decoder.");
  return compact && !is_precise ? at::kBFloat16 : at::kFloat;
}

void save_model_folder(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& base,
                       bool compact) {
  const WeightSource weights = [](const ParameterSlot& slot) { return *slot.tensor; };
  save_model_folder(folder, model, weights, base, compact);
}

void save_model_folder(const std::filesystem::path& folder, Bagel& model, const WeightSource& source,
                       const std::filesystem::path& base, bool compact) {
  if (!base.empty() && !std::filesystem::is_directory(base))
    throw Error(ExitCode::model, {base.string(), "the model folder that the model came from, for its small files",
                                  "no such folder", "put it back and run the same command again"});
  const std::vector<PlannedTensor> transformer = planned(transformer_slots(model), source, compact);
  const std::vector<PlannedTensor> autoencoder = planned(autoencoder_slots(model), source, compact);
  make_folder(folder);
  // What a killed writer left may be what the space lacks.
  for (const char* name : {"ema.safetensors", "ae.safetensors"}) remove_unfinished_versions(folder / name);
  require_disk_space(folder, planned_bytes(transformer) + planned_bytes(autoencoder));
  write_tensors(folder / "ema.safetensors", transformer, {{"format", "pt"}});
  write_tensors(folder / "ae.safetensors", autoencoder, {{"format", "pt"}});
  if (base.empty() || std::filesystem::exists(base / kWeightIndex))
    write_weight_index(folder, transformer, autoencoder);
  if (!base.empty()) copy_small_files(base, folder);
  if (base.empty() || !states_config(folder, model.config)) write_model_config(folder, model.config);
}

void convert(Bagel& model, at::ScalarType dtype) {
  for (const ParameterSlot& slot : all_slots(model)) *slot.tensor = slot.tensor->detach().to(dtype);
}

}  // namespace diptych
