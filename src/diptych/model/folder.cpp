#include "diptych/model/folder.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/disk_space.h"
#include "diptych/io/files.h"
#include "diptych/model/kernel_check.h"
#include "diptych/model/load_weights.h"
#include "diptych/tensor/tensor_writer.h"

namespace diptych {

namespace {

bool is_position_table(const std::string& name) {
  return name.ends_with("_pos_embed.pos_embed");
}

std::string expected_files_hint() {
  return "a BAGEL folder holds config.json, llm_config.json, vit_config.json, ema.safetensors, ae.safetensors, "
         "tokenizer_config.json, vocab.json and merges.txt";
}

/** The weights of a file; bfloat16 but for the position tables if `compact`. */
std::vector<PlannedTensor> planned(const std::vector<ParameterSlot>& slots, const WeightSource& source, bool compact) {
  std::vector<PlannedTensor> tensors;
  for (const ParameterSlot& slot : slots) {
    tensors.push_back({.name = slot.name,
                       .dtype = compact && !is_position_table(slot.name) ? at::kBFloat16 : at::kFloat,
                       .shape = slot.tensor->sizes().vec(),
                       .make = [slot, &source] { return source(slot); }});
  }
  return tensors;
}

void require_sound_kernels(at::Device device) {
  if (const std::string damage = kernel_damage(device); !damage.empty())
    throw Error(ExitCode::internal,
                {device.str(), "fused layers that compute what float64 does on the CPU", damage,
                 "build with DIPTYCH_CMAKE_FLAGS=-DDIPTYCH_CUDA_KERNELS=OFF to do without them, and report it"});
}

}  // namespace

SpecialTokens special_tokens(const Tokenizer& tokenizer) {
  return {tokenizer.im_start(), tokenizer.im_end(), tokenizer.vision_start(), tokenizer.vision_end()};
}

ModelFolder load_model_folder(const std::filesystem::path& folder, at::ScalarType dtype, at::Device device) {
  if (!std::filesystem::is_directory(folder))
    throw Error(ExitCode::model, {folder.string(), "a model folder", "no such folder", expected_files_hint()});
  if (!device.is_cpu() && dtype == at::kBFloat16) require_sound_kernels(device);
  ModelFolder loaded{make_bagel(load_model_config(folder)), Tokenizer::load(folder)};
  Bagel& model = loaded.model;
  model.special = special_tokens(loaded.tokenizer);
  if (loaded.tokenizer.size() > model.config.vocabulary)
    throw Error(ExitCode::model, {folder.string(), cat("at most ", model.config.vocabulary, " tokens (vocab_size)"),
                                  cat(loaded.tokenizer.size(), " in the tokenizer files"), ""});
  const std::vector<ParameterSlot> transformer = transformer_slots(model);
  const std::vector<ParameterSlot> autoencoder = autoencoder_slots(model);
  const SafetensorsFile transformer_file = open_weights(folder / "ema.safetensors", transformer);
  const SafetensorsFile autoencoder_file = open_weights(folder / "ae.safetensors", autoencoder);
  read_weights(transformer_file, transformer, dtype, device);
  read_weights(autoencoder_file, autoencoder, dtype == at::kDouble ? at::kDouble : at::kFloat, device);
  return loaded;
}

void save_model_folder(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& tokenizer_folder,
                       bool compact) {
  const WeightSource weights = [](const ParameterSlot& slot) { return *slot.tensor; };
  save_model_folder(folder, model, weights, tokenizer_folder, compact);
}

void save_model_folder(const std::filesystem::path& folder, Bagel& model, const WeightSource& source,
                       const std::filesystem::path& tokenizer_folder, bool compact) {
  const std::vector<PlannedTensor> transformer = planned(transformer_slots(model), source, compact);
  const std::vector<PlannedTensor> autoencoder = planned(autoencoder_slots(model), source, /*compact=*/false);
  make_folder(folder);
  require_disk_space(folder, planned_bytes(transformer) + planned_bytes(autoencoder));
  write_tensors(folder / "ema.safetensors", transformer, {{"format", "pt"}});
  write_tensors(folder / "ae.safetensors", autoencoder, {{"format", "pt"}});
  write_model_config(folder, model.config);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"}) {
    const std::filesystem::path file = tokenizer_folder / name;
    if (std::filesystem::exists(file) && !std::filesystem::equivalent(tokenizer_folder, folder))
      write_file_atomic(folder / name, read_file(file));
  }
}

void convert(Bagel& model, at::ScalarType dtype) {
  for (const ParameterSlot& slot : all_slots(model)) *slot.tensor = slot.tensor->detach().to(dtype);
}

}  // namespace diptych
