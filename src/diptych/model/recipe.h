#pragma once
// A new model described by a recipe, for `diptych init`.

#include "diptych/base/config.h"
#include "diptych/model/folder.h"

namespace diptych {

struct ModelRecipe {
  int64_t seed = 0;
  int64_t tokenizer_merges = 500;
  ModelConfig config;
};

template <class Fields>
void visit(Fields& fields, AutoencoderConfig& vae) {
  fields("z_channels", vae.z_channels, "numbers per latent pixel");
  fields("downsample", vae.downsample, "pixels per latent pixel");
  fields("channels", vae.channels, "channels of the highest resolution");
  fields("channel_multipliers", vae.channel_multipliers, "one per resolution");
  fields("res_blocks", vae.res_blocks, "residual blocks per resolution");
  fields("norm_groups", vae.norm_groups, "groups of the group norms");
}

template <class Fields>
void visit(Fields& fields, ImageTransformConfig& transform) {
  fields("max_long", transform.max_long, "longest side in pixels");
  fields("min_short", transform.min_short, "shortest side in pixels");
  fields("stride", transform.stride, "sides are multiples of this");
}

template <class Fields>
void visit(Fields& fields, ModelConfig& config) {
  fields("hidden", config.hidden, "width of the residual stream");
  fields("layers", config.layers, "decoder layers");
  fields("heads", config.heads, "query heads");
  fields("kv_heads", config.kv_heads, "key and value heads");
  fields("head_dim", config.head_dim, "width of a head");
  fields("mlp", config.mlp, "width of the MLP");
  fields("rope_theta", config.rope_theta, "base of the rotary angles");
  fields("latent_patch", config.latent_patch, "latent pixels per side of a token");
  fields("max_latent_size", config.max_latent_size, "latent tokens per side of the largest image");
  fields("visual_und", config.visual_und, "whether the folder holds a ViT");
  fields.section("vae", config.vae);
  fields.section("vae_transform", config.vae_transform);
}

template <class Fields>
void visit(Fields& fields, ModelRecipe& recipe) {
  fields("seed", recipe.seed, "seed of the random weights");
  fields("tokenizer_merges", recipe.tokenizer_merges, "byte-pair merges learnt on the corpus");
  fields.section("model", recipe.config);
}

/** Writes a model folder with seeded random weights and a tokenizer trained on the corpus. */
void create_model_folder(const std::filesystem::path& folder, const ModelRecipe& recipe,
                         const std::vector<std::string>& corpus);

}  // namespace diptych
