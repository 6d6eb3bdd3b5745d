#include "diptych/model/config/model_config.h"

#include <algorithm>
#include <string>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/model/config/config_keys.h"

namespace diptych {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

constexpr NumberRange kEpsilons = {.low = 0, .high = 0.1};
constexpr NumberRange kTimestepShifts = {.low = 0, .high = 1e3};
constexpr NumberRange kLatentScales = {.low = 0, .high = 1e6};
constexpr NumberRange kLatentShifts = {.low = -1e6, .high = 1e6, .from_low = true};
// Beyond, products of sizes that are each allowed would overflow, or layers without weights fill the memory.
constexpr size_t kMostLevels = 8;  // of an autoencoder
constexpr int64_t kMostLayers = 4096;
constexpr int64_t kWidest = int64_t{1} << 20;

/** config.json. The first published revision holds a bare name in its place, which means BAGEL-7B's values. */
ConfigObject open_top(const fs::path& file) {
  if (fs::exists(file) && read_file(file).find('{') == std::string::npos) {
    log_warning(cat(file.string(), " is empty or no JSON object: the values of BAGEL-7B take its place"));
    return {file, "", nlohmann::json::object()};
  }
  return open_config(file);
}

/** The object of a part of the model: that of its own file, or else one that config.json holds under one of `names`. A
 *  file may in turn hold its part under such a name, beside keys of the whole model. */
ConfigObject open_part(const fs::path& file, const ConfigObject& top, const std::vector<std::string>& names) {
  const auto inner_name = [&](const ConfigObject& object) {
    const auto is_there = [&](const std::string& name) { return value_of(object, name).is_object(); };
    const auto found = std::find_if(names.begin(), names.end(), is_there);
    return found == names.end() ? std::string() : *found;
  };
  const bool has_file = fs::exists(file);
  const ConfigObject outer = has_file || inner_name(top).empty() ? open_config(file) : top;
  const std::string name = inner_name(outer);
  if (name.empty()) return outer;
  ConfigObject part = nested(outer, name);
  if (!has_file) return part;
  for (const auto& [key, value] : outer.values.items()) {
    if (key == name || value.is_null() || key == "model_type" || key == "architectures") continue;
    const auto [place, is_new] = part.values.emplace(key, value);
    if (!is_new && *place != value)
      refuse_key(outer, key, cat("the value of ", part.prefix, key, ", ", place->dump()), value.dump());
  }
  return part;
}

void require(bool holds, const ConfigObject& object, const std::string& key, const std::string& expected, int64_t got) {
  if (!holds) refuse_key(object, key, expected, std::to_string(got));
}

void read_llm(const ConfigObject& llm, ModelConfig& config) {
  check_llm_keys(llm);
  require_key(llm, "hidden_size", config.hidden);
  require_key(llm, "num_hidden_layers", config.layers);
  require_key(llm, "num_attention_heads", config.heads);
  require_key(llm, "num_key_value_heads", config.kv_heads);
  require_key(llm, "intermediate_size", config.mlp);
  require_key(llm, "vocab_size", config.vocabulary);
  require(config.layers <= kMostLayers, llm, "num_hidden_layers", cat("at most ", kMostLayers), config.layers);
  read_key(llm, "rms_norm_eps", config.rms_eps, kEpsilons);
  read_key(llm, "tie_word_embeddings", config.tied_head);
  config.rope_theta = read_rope_theta(llm);
  check_attention_span(llm, config.layers);
  if (value_of(llm, "head_dim").is_null())
    require(config.hidden % config.heads == 0, llm, "num_attention_heads",
            cat("a divisor of hidden_size ", config.hidden, ", as head_dim is not stated"), config.heads);
  config.head_dim = config.hidden / config.heads;
  read_key(llm, "head_dim", config.head_dim);
  require(config.heads % config.kv_heads == 0, llm, "num_attention_heads",
          cat("a multiple of num_key_value_heads ", config.kv_heads), config.heads);
  require(config.heads * config.head_dim <= kWidest, llm, "head_dim",
          cat("at most ", kWidest, " in all of the ", config.heads, " heads together"), config.head_dim);
  require(config.head_dim % 2 == 0, llm, "head_dim", "an even number", config.head_dim);
  require(config.hidden % 4 == 0, llm, "hidden_size", "a multiple of 4", config.hidden);
}

void read_vit(const ConfigObject& vit, ModelConfig& config) {
  check_vit_keys(vit);
  require_key(vit, "hidden_size", config.vit.hidden);
  require_key(vit, "intermediate_size", config.vit.mlp);
  require_key(vit, "num_attention_heads", config.vit.heads);
  require_key(vit, "patch_size", config.vit.patch);
  read_key(vit, "layer_norm_eps", config.vit.layer_norm_eps, kEpsilons);
  int64_t layers_in_file = 0;
  require_key(vit, "num_hidden_layers", layers_in_file);
  config.vit.layers = layers_in_file - 1;
  require(config.vit.layers > 0, vit, "num_hidden_layers", "at least 2, as the last one is not used", layers_in_file);
  require(config.vit.layers < kMostLayers, vit, "num_hidden_layers", cat("at most ", kMostLayers), layers_in_file);
  require(3 * config.vit.patch * config.vit.patch <= kWidest, vit, "patch_size",
          cat("at most ", kWidest, " numbers in a patch"), config.vit.patch);
  require(config.vit.hidden % config.vit.heads == 0, vit, "hidden_size",
          cat("a multiple of num_attention_heads ", config.vit.heads), config.vit.hidden);
}

void read_vae(const ConfigObject& object, AutoencoderConfig& vae) {
  check_vae_keys(object);
  read_key(object, "z_channels", vae.z_channels);
  read_key(object, "ch", vae.channels);
  read_key(object, "ch_mult", vae.channel_multipliers);
  read_key(object, "num_res_blocks", vae.res_blocks);
  read_key(object, "in_channels", vae.in_channels);
  read_key(object, "out_ch", vae.out_channels);
  read_key(object, "norm_groups", vae.norm_groups);
  read_key(object, "scale_factor", vae.scale, kLatentScales);
  read_key(object, "shift_factor", vae.shift, kLatentShifts);
  const size_t levels = vae.channel_multipliers.size();
  require(levels <= kMostLevels, object, "ch_mult", cat("at most ", kMostLevels, " levels"),
          static_cast<int64_t>(levels));
  require(vae.res_blocks < kMostLayers, object, "num_res_blocks", cat("less than ", kMostLayers), vae.res_blocks);
  require(vae.in_channels == 3, object, "in_channels", "3, for red, green and blue", vae.in_channels);
  require(vae.out_channels == 3, object, "out_ch", "3, for red, green and blue", vae.out_channels);
  vae.downsample = int64_t{1} << (levels - 1);
  int64_t stated = vae.downsample;
  read_key(object, "downsample", stated);
  require(stated == vae.downsample, object, "downsample", cat(vae.downsample, ", from ", levels, " levels in ch_mult"),
          stated);
  for (const int64_t multiplier : vae.channel_multipliers) {
    require(vae.channels * multiplier <= kWidest, object, "ch",
            cat("at most ", kWidest, " channels, times ", multiplier, " of ch_mult"), vae.channels);
    require(vae.channels * multiplier % vae.norm_groups == 0, object, "norm_groups",
            cat("a divisor of the ", vae.channels * multiplier, " channels of a level"), vae.norm_groups);
  }
}

void read_transform(const ConfigObject& transforms, const std::string& key, ImageTransformConfig& transform) {
  std::vector<int64_t> values = {transform.max_long, transform.min_short, transform.stride};
  read_key(transforms, key, values);
  if (values.size() != 3)
    refuse_key(transforms, key, "three numbers: max_long, min_short, stride", cat(values.size(), " numbers"));
  transform = {.max_long = values[0], .min_short = values[1], .stride = values[2]};
}

ConfigObject transforms_of(const ConfigObject& top) {
  return nested(top, top.values.contains("transforms") ? "transforms" : "fixture_transforms");
}

/** A key that the published files leave out where it has its usual value. */
template <class Value>
Json unless_usual(Value value, Value usual) {
  return value == usual ? Json(nullptr) : Json(value);
}

Json transform_list(const ImageTransformConfig& transform) {
  return {transform.max_long, transform.min_short, transform.stride};
}

/** What config.json says of the model. */
Json written_top(const ModelConfig& config) {
  const AutoencoderConfig& vae = config.vae;
  return {
      {"model_type", "bagel"},
      {"architectures", {"BagelForConditionalGeneration"}},
      {"visual_gen", true},
      {"visual_und", config.visual_und},
      {"latent_patch_size", config.latent_patch},
      {"max_latent_size", config.max_latent_size},
      {"vit_max_num_patch_per_side", config.vit_max_patches_per_side},
      {"connector_act", "gelu_pytorch_tanh"},
      {"interpolate_pos", false},
      {"timestep_shift", config.timestep_shift},
      {"vae_config",
       {{"z_channels", vae.z_channels},
        {"downsample", vae.downsample},
        {"ch", vae.channels},
        {"ch_mult", vae.channel_multipliers},
        {"num_res_blocks", vae.res_blocks},
        {"in_channels", vae.in_channels},
        {"out_ch", vae.out_channels},
        {"norm_groups", vae.norm_groups},
        {"scale_factor", vae.scale},
        {"shift_factor", vae.shift}}},
      {"transforms", {{"vae", transform_list(config.vae_transform)}, {"vit", transform_list(config.vit_transform)}}}};
}

Json written_llm(const ModelConfig& config) {
  return {{"architectures", {"Qwen2ForCausalLM"}},
          {"model_type", "qwen2"},
          {"hidden_act", "silu"},
          {"hidden_size", config.hidden},
          {"intermediate_size", config.mlp},
          {"num_hidden_layers", config.layers},
          {"num_attention_heads", config.heads},
          {"num_key_value_heads", config.kv_heads},
          {"head_dim", unless_usual(config.head_dim, config.hidden / config.heads)},
          {"rms_norm_eps", config.rms_eps},
          {"rope_theta", config.rope_theta},
          {"tie_word_embeddings", config.tied_head},
          {"vocab_size", config.vocabulary},
          // Other places of the same values, which may have become others.
          {"rope_parameters", nullptr},
          {"rope_scaling", nullptr},
          {"llm_config", nullptr},
          {"text_config", nullptr}};
}

Json written_vit(const ModelConfig& config) {
  return {{"model_type", "siglip_vision_model"},
          {"hidden_size", config.vit.hidden},
          {"image_size", config.vit.patch * config.vit_max_patches_per_side},
          {"intermediate_size", config.vit.mlp},
          {"num_attention_heads", config.vit.heads},
          {"num_hidden_layers", config.vit.layers + 1},
          {"patch_size", config.vit.patch},
          {"layer_norm_eps", unless_usual(config.vit.layer_norm_eps, VitConfig().layer_norm_eps)},
          {"vit_config", nullptr},
          {"vision_config", nullptr}};
}

}  // namespace

int64_t latent_token_width(const ModelConfig& config) {
  return config.latent_patch * config.latent_patch * config.vae.z_channels;
}

int64_t latent_token_pixels(const ModelConfig& config) {
  return config.latent_patch * config.vae.downsample;
}

ModelConfig load_model_config(const fs::path& folder) {
  ModelConfig config;
  const ConfigObject top = open_top(folder / "config.json");
  check_top_keys(top);
  read_key(top, "visual_und", config.visual_und);
  read_key(top, "latent_patch_size", config.latent_patch);
  read_key(top, "max_latent_size", config.max_latent_size);
  read_key(top, "vit_max_num_patch_per_side", config.vit_max_patches_per_side);
  read_key(top, "timestep_shift", config.timestep_shift, kTimestepShifts);
  read_key(top, "tie_word_embeddings", config.tied_head);  // llm_config.json has the last word
  read_vae(nested(top, "vae_config"), config.vae);
  require(config.latent_patch <= kMostLayers && latent_token_width(config) <= kWidest, top, "latent_patch_size",
          cat("at most ", kWidest, " numbers in a token of ", config.vae.z_channels, " channels"), config.latent_patch);
  read_transform(transforms_of(top), "vae", config.vae_transform);
  read_transform(transforms_of(top), "vit", config.vit_transform);
  read_llm(open_part(folder / "llm_config.json", top, {"llm_config", "text_config"}), config);
  if (config.visual_und) read_vit(open_part(folder / "vit_config.json", top, {"vit_config", "vision_config"}), config);
  return config;
}

void set_json_keys(const fs::path& file, const Json& keys) {
  Json object = fs::exists(file) ? Json::parse(read_file(file), nullptr, false) : Json::object();
  if (!object.is_object()) object = Json::object();
  object.merge_patch(keys);
  write_file_atomic(file, object.dump(2) + "\n");
}

void write_model_config(const fs::path& folder, const ModelConfig& config) {
  set_json_keys(folder / "config.json", written_top(config));
  set_json_keys(folder / "llm_config.json", written_llm(config));
  if (config.visual_und) set_json_keys(folder / "vit_config.json", written_vit(config));
}

}  // namespace diptych
