#pragma once
// A new model described by a recipe, for `diptych init`.

#include "diptych/base/config.h"
#include "diptych/model/folder/folder.h"
#include "diptych/text/bpe_trainer.h"

namespace diptych {

/** BAGEL-7B's sizes, but for a vocabulary that follows the tokenizer. */
inline ModelConfig recipe_defaults() {
  ModelConfig config;
  config.vocabulary = 0;
  return config;
}

struct ModelRecipe {
  int64_t seed = 0;
  int64_t tokenizer_merges = 500;
  std::string dtype = "float32";
  ModelConfig config = recipe_defaults();
};

inline void visit(ConfigFields& fields, AutoencoderConfig& vae) {
  fields.range("z_channels", vae.z_channels, 1, 1 << 20, "numbers per latent pixel");
  fields.range("downsample", vae.downsample, 1, 1 << 20, "pixels per latent pixel");
  fields.range("channels", vae.channels, 1, 1 << 20, "channels of the highest resolution");
  fields("channel_multipliers", vae.channel_multipliers, "one per resolution");
  fields.range("res_blocks", vae.res_blocks, 1, 1 << 20, "residual blocks per resolution");
  fields.range("norm_groups", vae.norm_groups, 1, 1 << 20, "groups of the group norms");
}

inline void visit(ConfigFields& fields, ImageTransformConfig& transform) {
  fields.range("max_long", transform.max_long, 1, 1 << 20, "longest side in pixels");
  fields.range("min_short", transform.min_short, 1, 1 << 20, "shortest side in pixels");
  fields.range("stride", transform.stride, 1, 1 << 20, "sides are multiples of this");
}

inline void visit(ConfigFields& fields, VitConfig& vit) {
  fields.range("hidden", vit.hidden, 1, 1 << 20, "width");
  fields.range("mlp", vit.mlp, 1, 1 << 20, "width of the MLP");
  fields.range("heads", vit.heads, 1, 1 << 20, "heads");
  fields.range("layers", vit.layers, 1, 1 << 20, "layers");
  fields.range("patch", vit.patch, 1, 1 << 20, "pixels per side of a patch");
}

inline void visit(ConfigFields& fields, ModelConfig& config) {
  fields.range("hidden", config.hidden, 1, 1 << 20, "width of the residual stream");
  fields.range("layers", config.layers, 1, 1 << 20, "decoder layers");
  fields.range("heads", config.heads, 1, 1 << 20, "query heads");
  fields.range("kv_heads", config.kv_heads, 1, 1 << 20, "key and value heads");
  fields.range("head_dim", config.head_dim, 1, 1 << 20, "width of a head");
  fields.range("mlp", config.mlp, 1, 1 << 20, "width of the MLP");
  fields.range("vocabulary", config.vocabulary, 0, 1 << 24,
               "rows of the word embedding; 0: what the tokenizer needs, rounded up to 64");
  fields.range("rope_theta", config.rope_theta, 1, 1e12, "base of the rotary angles");
  fields.range("latent_patch", config.latent_patch, 1, 1 << 20, "latent pixels per side of a token");
  fields.range("max_latent_size", config.max_latent_size, 1, 1 << 20, "latent tokens per side of the largest image");
  fields("visual_und", config.visual_und, "whether the folder holds a ViT");
  fields.range("vit_max_patches_per_side", config.vit_max_patches_per_side, 1, 1 << 20,
               "ViT patches per side of the largest image");
  fields.section("vae", config.vae);
  fields.section("vit", config.vit);
  fields.section("vae_transform", config.vae_transform);
  fields.section("vit_transform", config.vit_transform);
}

inline void visit(ConfigFields& fields, ModelRecipe& recipe) {
  fields("seed", recipe.seed, "seed of the random weights");
  fields.range("tokenizer_merges", recipe.tokenizer_merges, 0, 1 << 20, "byte-pair merges learnt on the corpus");
  fields.choice("dtype", recipe.dtype, {"float32", "bfloat16"},
                "of the weights in the folder; position tables and autoencoder are always float32");
  fields.section("model", recipe.config);
}

/** What a recipe says before any weight is drawn. */
struct MadeModel {
  BpeModel tokenizer;  // trained on the corpus
  Bagel model;         // on the meta device
};

/** Throws Error(config) for sizes that do not go together and a vocabulary with fewer rows than the tokenizer has
 * tokens. */
MadeModel make_model(const ModelRecipe& recipe, const std::vector<std::string>& corpus);

/** Writes a model folder with seeded random weights and a tokenizer trained on the corpus. Weights are drawn as they
 * are written: memory holds one tensor at a time. Throws Error(config) as make_model, Error(io) if the disk has
 * too little space. */
void create_model_folder(const std::filesystem::path& folder, const ModelRecipe& recipe,
                         const std::vector<std::string>& corpus);

}  // namespace diptych
