#include "diptych/model/folder.h"

#include <set>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/model/embeddings.h"
#include "diptych/tensor/load.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

constexpr size_t kMostListed = 30;

bool is_position_table(const std::string& name) {
  return name.ends_with("_pos_embed.pos_embed");
}

std::string shape_text(at::IntArrayRef shape) {
  return "[" + join(shape, ", ") + "]";
}

// The published patch embedding may be a convolution [out, 3, p, p]; the model applies it to (dy, dx, rgb) patches.
Tensor as_linear_patch(const Tensor& stored, const ParameterSlot& slot) {
  if (stored.dim() == 4 && slot.name.ends_with("patch_embedding.weight"))
    return stored.permute({0, 2, 3, 1}).reshape({stored.size(0), -1});
  return stored;
}

std::string expected_files_hint() {
  return "a BAGEL folder holds config.json, llm_config.json, vit_config.json, ema.safetensors, ae.safetensors, "
         "tokenizer_config.json, vocab.json and merges.txt";
}

// Rows of a projection are scaled by its input width, as in the usual transformer initialisation.
void initialise_slot(const ParameterSlot& slot, uint64_t seed, uint64_t number) {
  Tensor& tensor = *slot.tensor;
  const at::IntArrayRef shape = tensor.sizes();
  const bool is_vector = shape.size() == 1;
  const bool is_norm = is_vector && slot.name.ends_with("weight");
  if (is_norm) {
    tensor = at::ones(shape, at::kFloat);
  } else if (is_vector || slot.name.starts_with("llm2vae")) {
    tensor = at::zeros(shape, at::kFloat);
  } else {
    const int64_t fan_in = tensor.numel() / shape[0];
    const bool is_embedding = slot.name.find("embed_tokens") != std::string::npos ||
                              slot.name.find("position_embedding") != std::string::npos;
    const double scale = is_embedding ? 0.02 : 1.0 / std::sqrt(static_cast<double>(fan_in));
    tensor = normal_tensor({.seed = seed, .purpose = Purpose::weights, .position = number}, shape).mul(scale);
  }
}

}  // namespace

SpecialTokens special_tokens(const Tokenizer& tokenizer) {
  return {tokenizer.im_start(), tokenizer.im_end(), tokenizer.vision_start(), tokenizer.vision_end()};
}

void load_slots(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype) {
  const SafetensorsFile stored = SafetensorsFile::open(file);
  std::vector<std::string> faults;
  std::set<std::string> known;
  for (const ParameterSlot& slot : slots) {
    known.insert(slot.name);
    const auto found = stored.tensors().find(slot.name);
    if (found == stored.tensors().end()) {
      faults.push_back("missing " + slot.name + " " + shape_text(slot.tensor->sizes()));
      continue;
    }
    const at::IntArrayRef expected = slot.tensor->sizes();
    const Tensor tensor = as_linear_patch(to_tensor(found->second), slot);
    if (tensor.sizes() != expected) {
      faults.push_back("misshapen " + slot.name + ": expected " + shape_text(expected) + ", got " +
                       shape_text(found->second.shape));
    } else {
      *slot.tensor = tensor.to(dtype).contiguous();
    }
  }
  for (const auto& [name, tensor] : stored.tensors())
    if (!known.contains(name)) faults.push_back("extra " + name + " " + shape_text(tensor.shape));
  if (faults.empty()) return;
  const size_t listed = std::min(faults.size(), kMostListed);
  std::string list = cat(faults.size(), " differences");
  for (size_t i = 0; i < listed; ++i) list += "\n    " + faults[i];
  if (listed < faults.size()) list += cat("\n    and ", faults.size() - listed, " more");
  throw Error(ExitCode::model, {file.string(), cat(slots.size(), " tensors as the config files say"), list,
                                "do config.json, llm_config.json and vit_config.json belong to this file?"});
}

ModelFolder load_model_folder(const std::filesystem::path& folder, at::ScalarType dtype) {
  if (!std::filesystem::is_directory(folder))
    throw Error(ExitCode::model, {folder.string(), "a model folder", "no such folder", expected_files_hint()});
  ModelFolder loaded{make_bagel(load_model_config(folder)), Tokenizer::load(folder)};
  Bagel& model = loaded.model;
  model.special = special_tokens(loaded.tokenizer);
  if (loaded.tokenizer.size() > model.config.vocabulary)
    throw Error(ExitCode::model, {folder.string(), cat("at most ", model.config.vocabulary, " tokens (vocab_size)"),
                                  cat(loaded.tokenizer.size(), " in the tokenizer files"), ""});
  load_slots(folder / "ema.safetensors", transformer_slots(model), dtype);
  load_slots(folder / "ae.safetensors", autoencoder_slots(model), dtype == at::kDouble ? at::kDouble : at::kFloat);
  return loaded;
}

void save_model_folder(const std::filesystem::path& folder, Bagel& model, const std::filesystem::path& tokenizer_folder,
                       bool compact) {
  make_folder(folder);
  std::vector<NamedTensor> weights;
  for (const ParameterSlot& slot : transformer_slots(model)) {
    const bool exact = !compact || is_position_table(slot.name);
    weights.push_back({slot.name, slot.tensor->detach().to(exact ? at::kFloat : at::kBFloat16)});
  }
  save_tensors(folder / "ema.safetensors", weights, {{"format", "pt"}});
  std::vector<NamedTensor> autoencoder;
  for (const ParameterSlot& slot : autoencoder_slots(model))
    autoencoder.push_back({slot.name, slot.tensor->detach().to(at::kFloat)});
  save_tensors(folder / "ae.safetensors", autoencoder, {{"format", "pt"}});
  write_model_config(folder, model.config);
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json"}) {
    const std::filesystem::path source = tokenizer_folder / name;
    if (std::filesystem::exists(source) && !std::filesystem::equivalent(tokenizer_folder, folder))
      write_file_atomic(folder / name, read_file(source));
  }
}

void initialise(Bagel& model, uint64_t seed) {
  std::vector<ParameterSlot> slots = transformer_slots(model);
  for (const ParameterSlot& slot : autoencoder_slots(model)) slots.push_back(slot);
  for (size_t i = 0; i < slots.size(); ++i) initialise_slot(slots[i], seed, i);
  model.latent_pos_embed = sincos_table(model.config.hidden, model.config.max_latent_size).to(at::kFloat);
  if (model.vit)
    model.vit->pos_embed = sincos_table(model.config.hidden, model.config.vit_max_patches_per_side).to(at::kFloat);
  std::map<std::string, Tensor> understanding;
  for (const ParameterSlot& slot : slots) understanding[slot.name] = *slot.tensor;
  for (const ParameterSlot& slot : slots) {
    const size_t suffix = slot.name.find("_moe_gen");
    if (suffix == std::string::npos) continue;
    *slot.tensor = understanding.at(std::string(slot.name).erase(suffix, 8)).clone();
  }
}

void convert(Bagel& model, at::ScalarType dtype) {
  std::vector<ParameterSlot> slots = transformer_slots(model);
  for (const ParameterSlot& slot : autoencoder_slots(model)) slots.push_back(slot);
  for (const ParameterSlot& slot : slots) *slot.tensor = slot.tensor->detach().to(dtype);
}

}  // namespace diptych
