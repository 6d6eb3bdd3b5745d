#pragma once
// A BAGEL-shaped model of a few thousand weights, none of which is silent.

#include "diptych/tensor/torch.h"

#include "diptych/model/folder/model_recipe.h"
#include "diptych/tensor/random.h"

namespace diptych {

/** Standard normal numbers; equal addresses give equal tensors. */
inline Tensor numbers(uint64_t address, at::IntArrayRef shape) {
  return normal_tensor({.seed = 5, .purpose = Purpose::test, .position = address}, shape);
}

/** 32 x 32 pixels are 4 x 4 latent tokens of 16 numbers. */
inline ModelConfig tiny_config() {
  ModelConfig config;
  config.hidden = 32;
  config.layers = 2;
  config.heads = 4;
  config.kv_heads = 2;
  config.head_dim = 8;
  config.mlp = 48;
  config.rope_theta = 1e4;
  // A multiple of 32: elsewhere the last elements of torch's gelu are computed by other code, and depend on the batch.
  config.vit = {.hidden = 16, .mlp = 32, .heads = 2, .layers = 2, .patch = 4};
  config.vit_max_patches_per_side = 8;
  config.vae = {.z_channels = 4,
                .downsample = 4,
                .channels = 4,
                .channel_multipliers = {1, 2, 2},
                .res_blocks = 1,
                .norm_groups = 2};
  config.latent_patch = 2;
  config.max_latent_size = 8;
  config.vae_transform = {.max_long = 32, .min_short = 16, .stride = 8};
  config.vit_transform = {.max_long = 32, .min_short = 16, .stride = 4};
  return config;
}

/** Moves every weight of the transformer but the position tables: a fresh model has two equal experts, zero biases and
 * a velocity of zero, which hide mistakes. */
inline void stir_weights(Bagel& model, uint64_t address = 1000, double scale = 0.1) {
  at::NoGradGuard no_grad;
  for (const ParameterSlot& slot : transformer_slots(model)) {
    ++address;
    if (slot.name.ends_with("pos_embed.pos_embed")) continue;
    slot.tensor->add_(numbers(address, slot.tensor->sizes()).to(slot.tensor->options()), scale);
  }
}

inline ModelRecipe tiny_recipe() {
  ModelRecipe recipe;
  recipe.seed = 7;
  recipe.tokenizer_merges = 20;
  recipe.config = tiny_config();
  recipe.config.vocabulary = 0;
  return recipe;
}

/** Makes a model folder at `folder` and loads it. */
inline ModelFolder make_tiny_model(const std::filesystem::path& folder, at::ScalarType dtype = at::kFloat) {
  create_model_folder(folder, tiny_recipe(),
                      {"a photo of a red circle", "two blue squares", "think a tricycle has three wheels"});
  ModelFolder made = load_model_folder(folder);
  stir_weights(made.model);
  save_model_folder(folder, made.model, folder, /*compact=*/false);
  return load_model_folder(folder, dtype);
}

/** The same weights without a folder and without a tokenizer: ids below 100, of which 0 to 3 are the markers. */
inline Bagel tiny_bagel(at::ScalarType dtype = at::kFloat) {
  ModelConfig config = tiny_config();
  config.vocabulary = 100;
  Bagel model = make_bagel(config);
  model.special = {0, 1, 2, 3};
  initialise(model, 7);
  stir_weights(model);
  convert(model, dtype);
  return model;
}

}  // namespace diptych
