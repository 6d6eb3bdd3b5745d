#include "diptych/model/folder/model_recipe.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

// Vocabulary rows are padded to a multiple of this, as in the published folder; spare rows stay unused.
constexpr int64_t kVocabularyMultiple = 64;
constexpr size_t kMostResolutions = 16;
constexpr int64_t kLargestMultiplier = 1024;

void require(bool holds, const std::string& key, const std::string& expected, const std::string& got) {
  if (!holds) throw Error(ExitCode::config, {key, expected, got, ""});
}

void check_sizes(const ModelConfig& config) {
  const AutoencoderConfig& vae = config.vae;
  require(config.heads * config.head_dim == config.hidden, "model.heads * model.head_dim",
          cat("model.hidden = ", config.hidden), cat(config.heads * config.head_dim));
  require(config.heads % config.kv_heads == 0, "model.kv_heads", cat("a divisor of model.heads = ", config.heads),
          cat(config.kv_heads));
  require(config.head_dim % 2 == 0 && config.hidden % 4 == 0, "model.head_dim and model.hidden", "multiples of 2 and 4",
          cat(config.head_dim, " and ", config.hidden));
  require(vae.downsample == int64_t{1} << (vae.channel_multipliers.size() - 1), "model.vae.downsample",
          cat("2 to the number of resolutions less one, ", int64_t{1} << (vae.channel_multipliers.size() - 1)),
          cat(vae.downsample));
  for (int64_t multiplier : vae.channel_multipliers)
    require(vae.channels * multiplier % vae.norm_groups == 0, "model.vae.norm_groups",
            cat("a divisor of the channels of each resolution, such as ", vae.channels * multiplier),
            cat(vae.norm_groups));
  require(config.vae_transform.stride % latent_token_pixels(config) == 0, "model.vae_transform.stride",
          cat("a multiple of downsample * latent_patch = ", latent_token_pixels(config)),
          cat(config.vae_transform.stride));
  require(config.vae_transform.max_long <= latent_token_pixels(config) * config.max_latent_size,
          "model.vae_transform.max_long",
          cat("at most downsample * latent_patch * max_latent_size = ",
              latent_token_pixels(config) * config.max_latent_size),
          cat(config.vae_transform.max_long));
  if (!config.visual_und) return;
  require(config.vit.hidden % config.vit.heads == 0, "model.vit.heads",
          cat("a divisor of model.vit.hidden = ", config.vit.hidden), cat(config.vit.heads));
  require(config.vit_transform.stride % config.vit.patch == 0, "model.vit_transform.stride",
          cat("a multiple of model.vit.patch = ", config.vit.patch), cat(config.vit_transform.stride));
  require(config.vit_transform.max_long <= config.vit.patch * config.vit_max_patches_per_side,
          "model.vit_transform.max_long",
          cat("at most vit.patch * vit_max_patches_per_side = ", config.vit.patch * config.vit_max_patches_per_side),
          cat(config.vit_transform.max_long));
}

/** Rows of the word embedding for a tokenizer of so many tokens. */
int64_t vocabulary_rows(const ModelConfig& config, int64_t tokens) {
  if (config.vocabulary == 0) return (tokens + kVocabularyMultiple - 1) / kVocabularyMultiple * kVocabularyMultiple;
  require(config.vocabulary >= tokens, "model.vocabulary",
          cat("0, or at least the ", tokens, " tokens of the tokenizer"), cat(config.vocabulary));
  return config.vocabulary;
}

/** What the published folder says beside sizes and weights, for other programs (bagel.md 7.1 and 10). The tokens are
 *  those of this folder's tokenizer. */
void write_published_keys(const std::filesystem::path& folder, const ModelConfig& config, const std::string& dtype) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  const nlohmann::ordered_json tokens = {{"bos_token_id", tokenizer.endoftext()}, {"eos_token_id", tokenizer.im_end()}};
  nlohmann::ordered_json llm = {{"initializer_range", 0.02},
                                {"max_position_embeddings", 32768},
                                {"max_window_layers", config.layers},
                                {"sliding_window", 131072},
                                {"torch_dtype", dtype}};
  llm.update(tokens);
  set_json_keys(folder / "llm_config.json", llm);
  set_json_keys(folder / "generation_config.json", tokens);
  const std::vector<double> halves(3, 0.5);
  set_json_keys(folder / "preprocessor_config.json", {{"image_mean", halves}, {"image_std", halves}});
}

}  // namespace

// Not in the namespace above, where ConfigFields::section would not find them.
static void visit(ConfigFields& fields, AutoencoderConfig& vae) {
  fields.range("z_channels", vae.z_channels, 1, 1 << 20, "numbers per latent pixel");
  fields.range("downsample", vae.downsample, 1, 1 << 20, "pixels per latent pixel");
  fields.range("channels", vae.channels, 1, 1 << 20, "channels of the highest resolution");
  fields("channel_multipliers", vae.channel_multipliers, "one per resolution");
  fields.range("res_blocks", vae.res_blocks, 1, 1 << 20, "residual blocks per resolution");
  fields.range("norm_groups", vae.norm_groups, 1, 1 << 20, "groups of the group norms");
}

static void visit(ConfigFields& fields, ImageTransformConfig& transform) {
  fields.range("max_long", transform.max_long, 1, 1 << 20, "longest side in pixels");
  fields.range("min_short", transform.min_short, 1, 1 << 20, "shortest side in pixels");
  fields.range("stride", transform.stride, 1, 1 << 20, "sides are multiples of this");
}

static void visit(ConfigFields& fields, VitConfig& vit) {
  fields.range("hidden", vit.hidden, 1, 1 << 20, "width");
  fields.range("mlp", vit.mlp, 1, 1 << 20, "width of the MLP");
  fields.range("heads", vit.heads, 1, 1 << 20, "heads");
  fields.range("layers", vit.layers, 1, 1 << 20, "layers");
  fields.range("patch", vit.patch, 1, 1 << 20, "pixels per side of a patch");
}

static void visit(ConfigFields& fields, ModelConfig& config) {
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

void visit(ConfigFields& fields, ModelRecipe& recipe) {
  fields("seed", recipe.seed, "seed of the random weights");
  fields.range("tokenizer_merges", recipe.tokenizer_merges, 0, 1 << 20, "byte-pair merges learnt on the corpus");
  fields.choice("dtype", recipe.dtype, {"float32", "bfloat16"},
                "of the weights in the folder; position tables and autoencoder are always float32");
  fields.section("model", recipe.config);
}

MadeModel make_model(const ModelRecipe& recipe, const std::vector<std::string>& corpus) {
  const std::vector<int64_t>& multipliers = recipe.config.vae.channel_multipliers;
  require(!multipliers.empty() && multipliers.size() <= kMostResolutions, "model.vae.channel_multipliers",
          cat("1 to ", kMostResolutions, " of them"), cat(multipliers.size()));
  for (const int64_t multiplier : multipliers)
    require(multiplier > 0 && multiplier <= kLargestMultiplier, "model.vae.channel_multipliers",
            cat("integers from 1 to ", kLargestMultiplier), cat(multiplier));
  check_sizes(recipe.config);
  BpeModel tokenizer = train_bpe(corpus, recipe.tokenizer_merges);
  ModelConfig config = recipe.config;
  config.vocabulary = vocabulary_rows(config, tokenizer_size(tokenizer));
  return {std::move(tokenizer), make_bagel(config)};
}

void create_model_folder(const std::filesystem::path& folder, const ModelRecipe& recipe,
                         const std::vector<std::string>& corpus) {
  MadeModel made = make_model(recipe, corpus);
  const WeightSource weights = initial_weights(made.model, static_cast<uint64_t>(recipe.seed));
  save_model_folder(folder, made.model, weights, /*base=*/{}, /*compact=*/recipe.dtype == "bfloat16");
  write_tokenizer_files(folder, made.tokenizer);
  write_published_keys(folder, made.model.config, recipe.dtype);
}

}  // namespace diptych
