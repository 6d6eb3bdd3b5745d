#include "diptych/cli/commands/inspect_json.h"

#include <nlohmann/json.hpp>

namespace diptych {

namespace {

using Json = nlohmann::ordered_json;

/** A name or metadata of a file may be no UTF-8; what is not becomes U+FFFD. */
std::string printed(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

Json to_json(const ImageTransformConfig& transform) {
  return {{"max_long", transform.max_long}, {"min_short", transform.min_short}, {"stride", transform.stride}};
}

Json to_json(const ModelConfig& config) {
  Json json = {{"hidden", config.hidden},
               {"layers", config.layers},
               {"heads", config.heads},
               {"kv_heads", config.kv_heads},
               {"head_dim", config.head_dim},
               {"mlp", config.mlp},
               {"vocabulary", config.vocabulary},
               {"rope_theta", config.rope_theta},
               {"latent_patch", config.latent_patch},
               {"max_latent_size", config.max_latent_size},
               {"vae_transform", to_json(config.vae_transform)},
               {"vae",
                {{"z_channels", config.vae.z_channels},
                 {"downsample", config.vae.downsample},
                 {"channels", config.vae.channels},
                 {"channel_multipliers", config.vae.channel_multipliers},
                 {"res_blocks", config.vae.res_blocks},
                 {"norm_groups", config.vae.norm_groups}}},
               {"visual_und", config.visual_und}};
  if (!config.visual_und) return json;
  json["vit"] = {{"hidden", config.vit.hidden},
                 {"mlp", config.vit.mlp},
                 {"heads", config.vit.heads},
                 {"layers", config.vit.layers},
                 {"patch", config.vit.patch}};
  json["vit_max_patches_per_side"] = config.vit_max_patches_per_side;
  json["vit_transform"] = to_json(config.vit_transform);
  return json;
}

Json to_json(const TokenizerSummary& tokenizer) {
  return {{"size", tokenizer.size},
          {"im_start", tokenizer.special.im_start},
          {"im_end", tokenizer.special.im_end},
          {"vision_start", tokenizer.special.vision_start},
          {"vision_end", tokenizer.special.vision_end}};
}

Json to_json(const ComponentSummary& component) {
  return {{"name", component.name},
          {"tensors", component.tensors},
          {"expected_tensors", component.expected_tensors},
          {"parameters", component.parameters},
          {"expected_parameters", component.expected_parameters},
          {"dtypes", component.dtypes},
          {"bytes", component.bytes}};
}

const char* kind_name(DifferenceKind kind) {
  switch (kind) {
    case DifferenceKind::missing:
      return "missing";
    case DifferenceKind::misshapen:
      return "misshapen";
    case DifferenceKind::unreadable:
      return "unreadable";
    default:
      return "extra";
  }
}

Json to_json(const WeightDifference& difference) {
  Json json = {{"kind", kind_name(difference.kind)}, {"name", difference.name}};
  if (difference.kind != DifferenceKind::extra) json["expected_shape"] = difference.expected;
  if (difference.kind != DifferenceKind::missing) json["shape"] = difference.stored;
  if (difference.kind != DifferenceKind::missing) json["dtype"] = difference.dtype;
  return json;
}

Json to_json(const WeightFileSummary& file);

template <class Item>
Json list(const std::vector<Item>& items) {
  Json json = Json::array();
  for (const Item& item : items) json.push_back(to_json(item));
  return json;
}

Json to_json(const WeightFileSummary& file) {
  Json json = {{"name", file.name}, {"components", list(file.components)}, {"differences", list(file.differences)}};
  if (!file.fault.empty()) json["fault"] = file.fault;
  return json;
}

}  // namespace

std::string folder_json(const std::string& path, const FolderSummary& summary) {
  int64_t tensors = 0, parameters = 0, bytes = 0;
  for (const WeightFileSummary& file : summary.files) {
    for (const ComponentSummary& component : file.components) {
      tensors += component.tensors;
      parameters += component.parameters;
      bytes += component.bytes;
    }
  }
  Json json = {{"folder", path}, {"complete", problem_count(summary) == 0}};
  if (summary.config) json["config"] = to_json(*summary.config);
  if (summary.tokenizer) json["tokenizer"] = to_json(*summary.tokenizer);
  json["files"] = list(summary.files);
  json["tensors"] = tensors;
  json["parameters"] = parameters;
  json["bytes"] = bytes;
  json["faults"] = summary.faults;
  return printed(json);
}

std::string tensors_json(const SafetensorsFile& file) {
  Json tensors = Json::array();
  int64_t parameters = 0, bytes = 0;
  for (const std::string& name : file.names_in_file_order()) {
    const StoredTensor& tensor = file.tensors().at(name);
    parameters += c10::multiply_integers(tensor.shape);
    bytes += static_cast<int64_t>(tensor.bytes.size());
    tensors.push_back(
        {{"name", name}, {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"bytes", tensor.bytes.size()}});
  }
  return printed({{"file", file.path().string()},
                  {"metadata", file.metadata()},
                  {"tensors", tensors},
                  {"parameters", parameters},
                  {"bytes", bytes}});
}

}  // namespace diptych
