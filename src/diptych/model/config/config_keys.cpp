#include "diptych/model/config/config_keys.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"

namespace diptych {

using nlohmann::json;

namespace {

/** What one object may hold. */
struct KnownKeys {
  std::set<std::string> read;                        // by load_model_config
  std::map<std::string, std::vector<json>> options;  // with the values that are built; none: it must be off
  std::map<std::string, std::string> other_names;    // -> the key that is read
  std::set<std::string> silent;                      // nothing about the arithmetic of a forward pass
};

// As transformers writes them into every file.
const std::set<std::string> kDescriptions = {
    "architectures", "attn_implementation", "auto_map", "dtype", "id2label", "initializer_range", "initializer_factor",
    "is_decoder", "label2id", "max_position_embeddings", "max_window_layers", "model_type", "name_or_path",
    "sliding_window", "torch_dtype", "tokenizer_class", "transformers_version", "use_cache", "return_dict",
    "chunk_size_feed_forward", "output_attentions", "output_hidden_states",
    // Of generation, which older versions mixed in.
    "diversity_penalty", "do_sample", "early_stopping", "encoder_no_repeat_ngram_size", "length_penalty", "max_length",
    "max_new_tokens", "min_length", "no_repeat_ngram_size", "num_beam_groups", "num_beams", "num_return_sequences",
    "pad_token", "repetition_penalty", "temperature", "top_k", "top_p", "typical_p"};

const KnownKeys& llm_keys() {
  static const KnownKeys keys = {
      .read = {"head_dim", "hidden_size", "intermediate_size", "layer_types", "num_attention_heads",
               "num_hidden_layers", "num_key_value_heads", "rms_norm_eps", "rope_parameters", "rope_scaling",
               "rope_theta", "tie_word_embeddings", "use_sliding_window", "vocab_size"},
      .options = {{"hidden_act", {"silu", "swish"}},
                  {"model_type", {"qwen2", "qwen2_mot", "bagel"}},
                  {"layer_module", {"Qwen2MoTDecoderLayer"}},
                  {"qk_norm", {true}},
                  {"use_qk_norm", {true}},
                  {"attention_bias", {true}},
                  {"qkv_bias", {true}},
                  {"position_embedding_type", {"rope", "rotary"}},
                  {"partial_rotary_factor", {1}},
                  {"rotary_pct", {1}},
                  {"embedding_multiplier", {1}},
                  {"residual_multiplier", {1}},
                  {"logits_scaling", {1}},
                  {"logit_scale", {1}},
                  {"scale_emb", {1}},
                  {"alibi", {}},
                  {"attention_chunk_size", {}},
                  {"attention_multiplier", {}},
                  {"attention_out_bias", {}},
                  {"attention_output_bias", {}},
                  {"attn_logit_softcapping", {}},
                  {"compression_config", {}},
                  {"dual_chunk_attention_config", {}},
                  {"final_logit_softcapping", {}},
                  {"is_encoder_decoder", {}},
                  {"kv_lora_rank", {}},
                  {"lm_head_bias", {}},
                  {"mlp_bias", {}},
                  {"mrope_section", {}},
                  {"n_routed_experts", {}},
                  {"no_rope_layers", {}},
                  {"num_experts", {}},
                  {"num_local_experts", {}},
                  {"o_bias", {}},
                  {"parallel_residual", {}},
                  {"q_lora_rank", {}},
                  {"quantization", {}},
                  {"quantization_config", {}},
                  {"query_pre_attn_scalar", {}},
                  {"sliding_window_pattern", {}},
                  {"use_alibi", {}},
                  {"use_dynamic_ntk", {}},
                  {"use_logn_attn", {}},
                  {"use_mrope", {}},
                  {"use_parallel_residual", {}}},
      .other_names = {{"activation_function", "hidden_act"},
                      {"act_fn", "hidden_act"},
                      {"hidden_activation", "hidden_act"},
                      {"attention_head_dim", "head_dim"},
                      {"head_size", "head_dim"},
                      {"kv_channels", "head_dim"},
                      {"d_model", "hidden_size"},
                      {"dim", "hidden_size"},
                      {"n_embd", "hidden_size"},
                      {"ffn_dim", "intermediate_size"},
                      {"ffn_hidden_size", "intermediate_size"},
                      {"n_inner", "intermediate_size"},
                      {"n_head", "num_attention_heads"},
                      {"n_heads", "num_attention_heads"},
                      {"num_heads", "num_attention_heads"},
                      {"n_layer", "num_hidden_layers"},
                      {"n_layers", "num_hidden_layers"},
                      {"num_layers", "num_hidden_layers"},
                      {"n_kv_heads", "num_key_value_heads"},
                      {"num_kv_heads", "num_key_value_heads"},
                      {"layer_norm_eps", "rms_norm_eps"},
                      {"layer_norm_epsilon", "rms_norm_eps"},
                      {"norm_eps", "rms_norm_eps"},
                      {"norm_epsilon", "rms_norm_eps"},
                      {"rms_eps", "rms_norm_eps"},
                      {"rms_norm_epsilon", "rms_norm_eps"},
                      {"rope_base", "rope_theta"},
                      {"rope_freq_base", "rope_theta"},
                      {"rotary_base", "rope_theta"},
                      {"rotary_emb_base", "rope_theta"},
                      {"padded_vocab_size", "vocab_size"},
                      {"tie_embeddings", "tie_word_embeddings"},
                      {"tie_weights", "tie_word_embeddings"},
                      {"tied_embeddings", "tie_word_embeddings"}},
      .silent = {"freeze_und", "vision_config"}};
  return keys;
}

const KnownKeys& vit_keys() {
  static const KnownKeys keys = {
      .read = {"hidden_size", "intermediate_size", "layer_norm_eps", "num_attention_heads", "num_hidden_layers",
               "patch_size"},
      .options = {{"hidden_act", {"gelu_pytorch_tanh", "gelu_new", "gelu_tanh"}},
                  {"model_type", {"siglip_vision_model", "siglip_navit", "siglip"}},
                  {"num_channels", {3}},
                  {"in_channels", {3}},
                  {"attention_bias", {true}},
                  {"qkv_bias", {true}},
                  {"vit_select_layer", {-2}},
                  {"quantization_config", {}},
                  {"rope", {}}},
      .other_names = {{"activation_function", "hidden_act"},
                      {"act_fn", "hidden_act"},
                      {"hidden_activation", "hidden_act"},
                      {"embed_dim", "hidden_size"},
                      {"width", "hidden_size"},
                      {"depth", "num_hidden_layers"},
                      {"num_layers", "num_hidden_layers"},
                      {"num_heads", "num_attention_heads"},
                      {"mlp_dim", "intermediate_size"},
                      {"layer_norm_epsilon", "layer_norm_eps"},
                      {"norm_eps", "layer_norm_eps"},
                      {"spatial_patch_size", "patch_size"}},
      .silent = {"image_size", "num_image_tokens", "projection_dim", "projector_hidden_act", "vision_use_head"}};
  return keys;
}

const KnownKeys& vae_keys() {
  static const KnownKeys keys = {
      .read = {"ch", "ch_mult", "downsample", "in_channels", "norm_groups", "num_res_blocks", "out_ch", "scale_factor",
               "shift_factor", "z_channels"},
      .options = {{"act_fn", {"silu", "swish"}},
                  {"double_z", {true}},
                  {"attn_resolutions", {}},
                  {"dropout", {}},
                  {"latents_mean", {}},
                  {"latents_std", {}},
                  {"use_post_quant_conv", {}},
                  {"use_quant_conv", {}}},
      .other_names = {{"block_out_channels", "ch_mult"},
                      {"latent_channels", "z_channels"},
                      {"layers_per_block", "num_res_blocks"},
                      {"norm_num_groups", "norm_groups"},
                      {"out_channels", "out_ch"},
                      {"scaling_factor", "scale_factor"},
                      {"shifting_factor", "shift_factor"}},
      .silent = {"down_block_types", "force_upcast", "resolution", "sample_size", "up_block_types"}};
  return keys;
}

const KnownKeys& top_keys() {
  static const KnownKeys keys = {
      .read = {"fixture_transforms", "latent_patch_size", "llm_config", "max_latent_size", "text_config",
               "tie_word_embeddings", "timestep_shift", "transforms", "vae_config", "vision_config", "visual_und",
               "vit_config", "vit_max_num_patch_per_side"},
      .options = {{"connector_act", {"gelu_pytorch_tanh", "gelu_new", "gelu_tanh"}},
                  {"visual_gen", {true}},
                  {"layer_module", {"Qwen2MoTDecoderLayer"}},
                  {"llm_qk_norm", {true}},
                  {"qk_norm", {true}},
                  {"vit_select_layer", {-2}},
                  {"interpolate_pos", {}},
                  {"quantization_config", {}},
                  {"vit_rope", {}}},
      .other_names = {{"vit_max_num_patches_per_side", "vit_max_num_patch_per_side"}, {"vae_cfg", "vae_config"}},
      .silent = {}};
  return keys;
}

/** Whether a value says that there is no such thing. */
bool is_off(const json& value) {
  const bool is_empty = (value.is_string() || value.is_structured()) && value.empty();
  return value.is_null() || value == false || value == 0 || is_empty || value == "";
}

bool is_silent(const std::string& key, const KnownKeys& known) {
  return known.read.contains(key) || known.silent.contains(key) || kDescriptions.contains(key) ||
         key.starts_with('_') || key.ends_with("_token_id") || key.ends_with("_token_index");
}

std::string listed_values(const std::vector<json>& values) {
  std::vector<std::string> texts;
  for (const json& value : values) texts.push_back(value.dump());
  return join(texts, " or ");
}

void check_option(const ConfigObject& object, const std::string& key, const std::vector<json>& built) {
  const json& value = value_of(object, key);
  if (value.is_null() || (built.empty() && is_off(value))) return;
  if (std::find(built.begin(), built.end(), value) != built.end()) return;
  refuse_key(
      object, key,
      built.empty() ? "no such option, since it is not built" : listed_values(built) + ", since no other is built",
      value.dump());
}

/** A value under another name may stand beside the same one under the name that is read. */
void check_other_name(const ConfigObject& object, const std::string& key, const std::string& read) {
  const json& value = value_of(object, key);
  if (value.is_null() || value == value_of(object, read)) return;
  refuse_key(object, key, cat("the key ", object.prefix, read, " for this"), value.dump());
}

void check_keys(const ConfigObject& object, const KnownKeys& known) {
  std::vector<std::string> unknown;
  for (const auto& [key, value] : object.values.items()) {
    if (const auto option = known.options.find(key); option != known.options.end()) {
      check_option(object, key, option->second);
    } else if (const auto other = known.other_names.find(key); other != known.other_names.end()) {
      check_other_name(object, key, other->second);
    } else if (!is_silent(key, known) && !is_off(value)) {
      unknown.push_back(cat(object.prefix, key, ' ', value.dump().substr(0, 60)));
    }
  }
  if (!unknown.empty()) log_warning(cat(object.file.string(), ": no notice is taken of ", join(unknown, ", ")));
}

constexpr NumberRange kRotaryBases = {.low = 1, .high = 1e12, .from_low = false};

/** The base that an object of rotary options states, after a check that they are the plain ones. */
std::optional<double> checked_rope(const ConfigObject& rope) {
  for (const char* name : {"rope_type", "type"}) check_option(rope, name, {"default"});  // what the others belong to
  for (const char* factor : {"factor", "partial_rotary_factor"}) check_option(rope, factor, {1});
  static const std::set<std::string> kChecked = {"rope_type",
                                                 "type",
                                                 "factor",
                                                 "partial_rotary_factor",
                                                 "rope_theta",
                                                 "full_attention",
                                                 "original_max_position_embeddings"};
  for (const auto& [key, value] : rope.values.items())
    if (!kChecked.contains(key)) check_option(rope, key, {});
  if (!value_of(rope, "full_attention").is_null())
    return checked_rope(nested(rope, "full_attention"));  // by layer type
  std::optional<double> theta;
  if (!value_of(rope, "rope_theta").is_null()) read_key(rope, "rope_theta", theta.emplace(), kRotaryBases);
  return theta;
}

}  // namespace

void check_llm_keys(const ConfigObject& llm) {
  check_keys(llm, llm_keys());
}

void check_vit_keys(const ConfigObject& vit) {
  check_keys(vit, vit_keys());
}

void check_vae_keys(const ConfigObject& vae) {
  check_keys(vae, vae_keys());
}

void check_top_keys(const ConfigObject& top) {
  check_keys(top, top_keys());
}

double read_rope_theta(const ConfigObject& llm) {
  std::optional<double> theta;
  if (!value_of(llm, "rope_theta").is_null()) read_key(llm, "rope_theta", theta.emplace(), kRotaryBases);
  for (const char* place : {"rope_parameters", "rope_scaling"}) {
    const std::optional<double> stated = checked_rope(nested(llm, place));
    if (stated && theta && *stated != *theta)
      refuse_key(llm, cat(place, ".rope_theta"), cat("one rotary base, ", *theta, " as elsewhere in the file"),
                 cat(*stated));
    if (stated) theta = stated;
  }
  if (!theta) refuse_key(llm, "rope_theta", "the base of the rotary positions", "no such key");
  return *theta;
}

void check_attention_span(const ConfigObject& llm, int64_t layers) {
  const json& types = value_of(llm, "layer_types");
  const auto is_full = [](const json& type) { return type == "full_attention"; };
  if (!types.is_null() && (!types.is_array() || static_cast<int64_t>(types.size()) != layers ||
                           !std::all_of(types.begin(), types.end(), is_full)))
    refuse_key(llm, "layer_types",
               cat("\"full_attention\" for each of the ", layers, " layers, since no other is built"), types.dump());
  bool slides = false;
  read_key(llm, "use_sliding_window", slides);
  const json& window = value_of(llm, "sliding_window");
  int64_t first = 0;  // layer that has a window
  if (slides && !is_off(window)) read_key(llm, "max_window_layers", first);
  if (slides && !is_off(window) && first < layers)
    refuse_key(llm, "use_sliding_window", "false, since attention over a window is not built",
               cat("true, with sliding_window ", window.dump()));
}

}  // namespace diptych
