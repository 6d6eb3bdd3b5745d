#include "diptych/model/folder/initialise.h"

#include "diptych/model/layers/embeddings.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

constexpr std::string_view kGenerationSuffix = "_moe_gen";

/** The weight of the understanding expert that a weight of the generation expert starts as; others are their own. */
std::string understanding_name(const std::string& name) {
  const size_t suffix = name.find(kGenerationSuffix);
  return suffix == std::string::npos ? name : std::string(name).erase(suffix, kGenerationSuffix.size());
}

// Rows of a projection are scaled by its input width, as in the usual transformer initialisation.
Tensor initial_weight(const std::string& name, at::IntArrayRef shape, uint64_t seed, uint64_t number) {
  const bool is_vector = shape.size() == 1;
  const bool is_norm = is_vector && name.ends_with("weight");
  if (is_norm) return at::ones(shape, at::kFloat);
  if (is_vector || name.starts_with("llm2vae")) return at::zeros(shape, at::kFloat);
  const int64_t fan_in = c10::multiply_integers(shape.slice(1));
  const bool is_embedding =
      name.find("embed_tokens") != std::string::npos || name.find("position_embedding") != std::string::npos;
  const double scale = is_embedding ? 0.02 : 1.0 / std::sqrt(static_cast<double>(fan_in));
  // In place: the largest of these tensors takes 2 GB in a model of 7 billion weights.
  return normal_tensor({.seed = seed, .purpose = Purpose::weights, .position = number}, shape).mul_(scale);
}

}  // namespace

std::vector<ParameterSlot> all_slots(Bagel& model) {
  std::vector<ParameterSlot> slots = transformer_slots(model);
  for (const ParameterSlot& slot : autoencoder_slots(model)) slots.push_back(slot);
  return slots;
}

WeightSource initial_weights(Bagel& model, uint64_t seed) {
  std::map<std::string, uint64_t> numbers;
  for (const ParameterSlot& slot : all_slots(model)) numbers.emplace(slot.name, numbers.size());
  const ModelConfig config = model.config;
  return [numbers, config, seed](const ParameterSlot& slot) {
    if (slot.name == "latent_pos_embed.pos_embed") return sincos_table(config.hidden, config.max_latent_size);
    if (slot.name == "vit_pos_embed.pos_embed") return sincos_table(config.hidden, config.vit_max_patches_per_side);
    const std::string name = understanding_name(slot.name);
    return initial_weight(name, slot.tensor->sizes(), seed, numbers.at(name));
  };
}

void initialise(Bagel& model, uint64_t seed) {
  const WeightSource source = initial_weights(model, seed);
  for (const ParameterSlot& slot : all_slots(model)) *slot.tensor = source(slot);
}

}  // namespace diptych
