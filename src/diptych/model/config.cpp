#include "diptych/model/config.h"

#include <nlohmann/json.hpp>
#include <string>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

namespace {

[[noreturn]] void fail(const fs::path& file, const std::string& key, const std::string& expected,
                       const std::string& got) {
  throw Error(ExitCode::model, {.where = cat(file.string(), ": ", key),
                                .expected = expected,
                                .got = got,
                                .hint = "compare the file with the published model folder"});
}

// One JSON object of a file.
struct Source {
  fs::path file;
  std::string prefix;  // of keys in errors: "vae_config." for a nested object
  Json object;
};

// Of any size in a model's configuration: beyond, the file is damaged, and the model would exceed every memory.
constexpr int64_t kLargestSize = int64_t{1} << 20;

bool is_size(const Json& value) {
  return value.is_number_integer() && value.get<int64_t>() > 0 && value.get<int64_t>() <= kLargestSize;
}

// Sets `value` to a size. A missing key is an error if it is required, and keeps the default if not.
void read(const Source& source, const std::string& key, int64_t& value, bool required) {
  const auto found = source.object.find(key);
  if (found == source.object.end()) {
    if (required) fail(source.file, source.prefix + key, "a positive integer", "no such key");
    return;
  }
  if (!is_size(*found))
    fail(source.file, source.prefix + key, cat("a positive integer up to ", kLargestSize), found->dump());
  value = found->get<int64_t>();
}

void read(const Source& source, const std::string& key, double& value) {
  const auto found = source.object.find(key);
  if (found == source.object.end()) return;
  if (!found->is_number()) fail(source.file, source.prefix + key, "a number", found->dump());
  value = found->get<double>();
}

void read(const Source& source, const std::string& key, bool& value) {
  const auto found = source.object.find(key);
  if (found == source.object.end()) return;
  if (!found->is_boolean()) fail(source.file, source.prefix + key, "true or false", found->dump());
  value = found->get<bool>();
}

void read(const Source& source, const std::string& key, std::vector<int64_t>& values) {
  const auto found = source.object.find(key);
  if (found == source.object.end()) return;
  const bool is_list = found->is_array() && !found->empty();
  if (!is_list)
    fail(source.file, source.prefix + key, cat("a list of positive integers up to ", kLargestSize), found->dump());
  values.clear();
  for (const Json& item : *found) {
    if (!is_size(item))
      fail(source.file, source.prefix + key, cat("a list of positive integers up to ", kLargestSize), found->dump());
    values.push_back(item.get<int64_t>());
  }
}

void read(const Source& source, const std::string& key, ImageTransformConfig& transform) {
  std::vector<int64_t> values = {transform.max_long, transform.min_short, transform.stride};
  read(source, key, values);
  if (values.size() != 3)
    fail(source.file, source.prefix + key, "three numbers: max_long, min_short, stride",
         cat(values.size(), " numbers"));
  transform = {.max_long = values[0], .min_short = values[1], .stride = values[2]};
}

Source nested(const Source& source, const std::string& key) {
  Source inner = {.file = source.file, .prefix = key + ".", .object = Json::object()};
  const auto found = source.object.find(key);
  if (found == source.object.end()) return inner;
  if (!found->is_object()) fail(source.file, key, "an object", found->dump());
  inner.object = *found;
  return inner;
}

std::string read_model_file(const fs::path& file) {
  if (!fs::exists(file))
    throw Error(ExitCode::model, {file.string(), "a file of the model folder", "no such file",
                                  "is the folder complete? docs/troubleshooting.md lists its files"});
  return read_file(file);
}

Source open_json(const fs::path& file) {
  Json object = Json::parse(read_model_file(file), nullptr, false);
  if (!object.is_object()) fail(file, "whole file", "a JSON object", object.is_discarded() ? "not JSON" : "other JSON");
  return {.file = file, .prefix = "", .object = std::move(object)};
}

Source open_top(const fs::path& file) {
  Json object = Json::parse(read_model_file(file), nullptr, false);
  if (!object.is_object()) {
    log_warning(cat(file.string(), " is empty, cut off or no JSON object: the values of BAGEL-7B take its place"));
    object = Json::object();
  }
  return {.file = file, .prefix = "", .object = std::move(object)};
}

void require(bool holds, const fs::path& file, const std::string& key, const std::string& expected, int64_t got) {
  if (!holds) fail(file, key, expected, std::to_string(got));
}

void read_llm(const Source& llm, ModelConfig& config) {
  read(llm, "hidden_size", config.hidden, true);
  read(llm, "num_hidden_layers", config.layers, true);
  read(llm, "num_attention_heads", config.heads, true);
  read(llm, "num_key_value_heads", config.kv_heads, true);
  read(llm, "intermediate_size", config.mlp, true);
  read(llm, "vocab_size", config.vocabulary, true);
  read(llm, "rope_theta", config.rope_theta);
  read(llm, "rms_norm_eps", config.rms_eps);
  config.head_dim = config.hidden / config.heads;
  read(llm, "head_dim", config.head_dim, false);
  require(config.heads % config.kv_heads == 0, llm.file, "num_attention_heads",
          cat("a multiple of num_key_value_heads ", config.kv_heads), config.heads);
  require(config.head_dim > 0 && config.head_dim % 2 == 0, llm.file, "head_dim", "an even number", config.head_dim);
  require(config.hidden % 4 == 0, llm.file, "hidden_size", "a multiple of 4", config.hidden);
}

void read_vit(const Source& vit, ModelConfig& config) {
  read(vit, "hidden_size", config.vit.hidden, true);
  read(vit, "intermediate_size", config.vit.mlp, true);
  read(vit, "num_attention_heads", config.vit.heads, true);
  read(vit, "patch_size", config.vit.patch, true);
  read(vit, "layer_norm_eps", config.vit.layer_norm_eps);
  int64_t layers_in_file = 0;
  read(vit, "num_hidden_layers", layers_in_file, true);
  config.vit.layers = layers_in_file - 1;
  require(config.vit.layers > 0, vit.file, "num_hidden_layers", "at least 2, as the last one is not used",
          layers_in_file);
  require(config.vit.hidden % config.vit.heads == 0, vit.file, "hidden_size",
          cat("a multiple of num_attention_heads ", config.vit.heads), config.vit.hidden);
}

void read_vae(const Source& source, AutoencoderConfig& vae) {
  read(source, "z_channels", vae.z_channels, false);
  read(source, "ch", vae.channels, false);
  read(source, "ch_mult", vae.channel_multipliers);
  read(source, "num_res_blocks", vae.res_blocks, false);
  read(source, "in_channels", vae.in_channels, false);
  read(source, "out_ch", vae.out_channels, false);
  read(source, "norm_groups", vae.norm_groups, false);
  read(source, "scale_factor", vae.scale);
  read(source, "shift_factor", vae.shift);
  vae.downsample = int64_t{1} << (vae.channel_multipliers.size() - 1);
  int64_t stated = vae.downsample;
  read(source, "downsample", stated, false);
  require(stated == vae.downsample, source.file, "vae_config.downsample",
          cat(vae.downsample, ", from ", vae.channel_multipliers.size(), " levels in ch_mult"), stated);
  for (const int64_t multiplier : vae.channel_multipliers) {
    require(vae.channels * multiplier % vae.norm_groups == 0, source.file, "vae_config.norm_groups",
            cat("a divisor of the ", vae.channels * multiplier, " channels of a level"), vae.norm_groups);
  }
}

/** A key that the published files leave out where it has its usual value. */
template <class Value>
Json unless_usual(Value value, Value usual) {
  return value == usual ? Json(nullptr) : Json(value);
}

Json transform_list(const ImageTransformConfig& transform) {
  return {transform.max_long, transform.min_short, transform.stride};
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
  const Source top = open_top(folder / "config.json");
  read(top, "visual_und", config.visual_und);
  read(top, "latent_patch_size", config.latent_patch, false);
  read(top, "max_latent_size", config.max_latent_size, false);
  read(top, "vit_max_num_patch_per_side", config.vit_max_patches_per_side, false);
  read(top, "timestep_shift", config.timestep_shift);
  read_vae(nested(top, "vae_config"), config.vae);
  const Source transforms = nested(top, top.object.contains("transforms") ? "transforms" : "fixture_transforms");
  read(transforms, "vae", config.vae_transform);
  read(transforms, "vit", config.vit_transform);
  read_llm(open_json(folder / "llm_config.json"), config);
  if (config.visual_und) read_vit(open_json(folder / "vit_config.json"), config);
  return config;
}

void set_json_keys(const fs::path& file, const Json& keys) {
  Json object = fs::exists(file) ? Json::parse(read_file(file), nullptr, false) : Json::object();
  if (!object.is_object()) object = Json::object();
  object.merge_patch(keys);
  write_file_atomic(file, object.dump(2) + "\n");
}

void write_model_config(const fs::path& folder, const ModelConfig& config) {
  const AutoencoderConfig& vae = config.vae;
  set_json_keys(
      folder / "config.json",
      {{"model_type", "bagel"},
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
       {"transforms", {{"vae", transform_list(config.vae_transform)}, {"vit", transform_list(config.vit_transform)}}}});
  set_json_keys(folder / "llm_config.json", {{"architectures", {"Qwen2ForCausalLM"}},
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
                                             {"tie_word_embeddings", false},
                                             {"vocab_size", config.vocabulary}});
  if (!config.visual_und) return;
  set_json_keys(folder / "vit_config.json",
                {{"model_type", "siglip_vision_model"},
                 {"hidden_size", config.vit.hidden},
                 {"image_size", config.vit.patch * config.vit_max_patches_per_side},
                 {"intermediate_size", config.vit.mlp},
                 {"num_attention_heads", config.vit.heads},
                 {"num_hidden_layers", config.vit.layers + 1},
                 {"patch_size", config.vit.patch},
                 {"layer_norm_eps", unless_usual(config.vit.layer_norm_eps, VitConfig().layer_norm_eps)}});
}

}  // namespace diptych
