#pragma once
// Geometry of a model folder, from its config.json, llm_config.json and vit_config.json.

#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <vector>

namespace diptych {

/** SigLIP encoder. Defaults are those of BAGEL-7B (bagel.md 2, 6). */
struct VitConfig {
  int64_t hidden = 1152;
  int64_t mlp = 4304;
  int64_t heads = 16;
  int64_t layers = 26;  // layers used: one fewer than vit_config.json states
  int64_t patch = 14;   // pixels per side
  double layer_norm_eps = 1e-6;

  bool operator==(const VitConfig&) const = default;
};

/** FLUX autoencoder (bagel.md 7.2). */
struct AutoencoderConfig {
  int64_t z_channels = 16;
  int64_t downsample = 8;  // pixels per latent number; 2^(levels - 1)
  int64_t channels = 128;  // of the first level
  std::vector<int64_t> channel_multipliers = {1, 2, 4, 4};
  int64_t res_blocks = 2;  // per encoder level; the decoder has one more
  int64_t in_channels = 3;
  int64_t out_channels = 3;
  int64_t norm_groups = 32;
  double scale = 0.3611;
  double shift = 0.1159;

  bool operator==(const AutoencoderConfig&) const = default;
};

/** Resize rule of an image input (bagel.md 7.1), in pixels. */
struct ImageTransformConfig {
  int64_t max_long = 0;
  int64_t min_short = 0;
  int64_t stride = 0;

  bool operator==(const ImageTransformConfig&) const = default;
};

/** Everything the forward passes need to know about sizes. Defaults are BAGEL-7B's. */
struct ModelConfig {
  int64_t hidden = 3584;
  int64_t layers = 28;
  int64_t heads = 28;
  int64_t kv_heads = 4;
  int64_t head_dim = 128;
  int64_t mlp = 18944;
  int64_t vocabulary = 152064;
  double rope_theta = 1e6;
  double rms_eps = 1e-6;
  bool tied_head = false;  // the folder's text head is its word embedding; once loaded, they are two tensors

  bool visual_und = true;  // false: the folder holds no ViT and no connector
  VitConfig vit;
  int64_t vit_max_patches_per_side = 70;  // stride of ViT position ids

  AutoencoderConfig vae;
  int64_t latent_patch = 2;      // latent numbers per side of a token
  int64_t max_latent_size = 64;  // stride of latent position ids
  double timestep_shift = 1.0;   // of training times

  ImageTransformConfig vae_transform = {.max_long = 1024, .min_short = 512, .stride = 16};
  ImageTransformConfig vit_transform = {.max_long = 980, .min_short = 224, .stride = 14};

  bool operator==(const ModelConfig&) const = default;
};

/** Numbers per latent token: latent_patch^2 * z_channels. */
int64_t latent_token_width(const ModelConfig& config);

/** Pixels per side of a latent token: latent_patch * downsample. */
int64_t latent_token_pixels(const ModelConfig& config);

/** Reads the three files. A key that config.json lacks takes BAGEL-7B's value, and so does every key of it when it
 * holds no object at all (a bare name in the first published revision); the two other files must state the sizes and
 * the rotary base. vit_config.json is not read when config.json says `visual_und: false`. Where one of the two is
 * absent, its object may stand in config.json as `llm_config` or `text_config`, `vit_config` or `vision_config`.
 * Transforms stand under `transforms` (or `fixture_transforms`) as {"vae": [max_long, min_short, stride], "vit":
 * [...]}, the groups of the autoencoder's norms under `vae_config.norm_groups`. Throws Error(model) naming file, key,
 * expected and got, also for options that change the arithmetic and are not built (config_keys.h). */
ModelConfig load_model_config(const std::filesystem::path& folder);

/** Writes the three files (vit_config.json only with visual_und), so that reading them gives an equal config. Keys of
 *  files that are there already and that say nothing about sizes stay. */
void write_model_config(const std::filesystem::path& folder, const ModelConfig& config);

/** Sets keys of a JSON file, those of nested objects too, and removes keys that are null; others stay. A file that is
 *  absent or holds no JSON object begins anew. */
void set_json_keys(const std::filesystem::path& file, const nlohmann::ordered_json& keys);

}  // namespace diptych
