#include "diptych/model/folder/recipe.h"

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
