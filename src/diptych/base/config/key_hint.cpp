#include "diptych/base/config/key_hint.h"

#include <algorithm>
#include <vector>

#include "diptych/base/nearest_name.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

using Names = std::vector<std::string_view>;

constexpr size_t kMostNamed = 4;

/** What verl, TRL, flow_grpo, OpenRLHF and diffusers' scripts call something, and what we do. */
const std::vector<std::pair<Names, Names>>& names_of_peers() {
  static const std::vector<std::pair<Names, Names>> names = {
      {{"lr", "learning_rate", "base_lr", "actor_lr", "peak_lr"},
       {"learning_rate", "und_learning_rate", "gen_learning_rate"}},
      {{"beta", "kl", "kl_beta", "kl_coef", "kl_coeff", "kl_loss_coef", "kl_penalty", "kl_weight", "init_kl_coef"},
       {"kl_weight", "text_kl_weight", "latent_kl_weight", "velocity_mse_weight"}},
      {{"batch", "batch_size", "train_batch_size", "global_batch_size", "rollout_batch_size",
        "per_device_train_batch_size"},
       {"batch", "per_step", "group_size"}},
      {{"mini_batch", "mini_batch_size", "ppo_mini_batch_size", "num_mini_batches"}, {"mini_batches", "batch"}},
      {{"micro_batch_size", "gradient_accumulation_steps", "ppo_micro_batch_size_per_gpu"},
       {"chains_per_pack", "examples_per_pack"}},
      {{"n", "num_generations", "num_samples", "n_samples", "samples_per_prompt", "num_image_per_prompt"},
       {"group_size"}},
      {{"clip", "clip_range", "cliprange", "clip_ratio", "clip_eps", "epsilon"},
       {"text_clip_low", "text_clip_high", "image_clip_low", "image_clip_high"}},
      {{"max_steps", "num_steps", "total_steps", "max_train_steps", "total_training_steps", "iterations"}, {"steps"}},
      {{"num_epochs", "num_train_epochs", "ppo_epochs", "num_inner_epochs"}, {"epochs"}},
      {{"num_inference_steps", "sampling_steps", "denoising_steps", "num_timesteps"}, {"updates"}},
      {{"resolution", "height", "width", "size", "img_size"}, {"image_size"}},
      {{"max_tokens", "max_new_tokens", "max_response_length", "max_completion_length", "response_length"},
       {"max_think_tokens"}},
      {{"guidance_scale", "cfg", "cfg_scale", "cfg_text_scale"}, {"text_scale", "guidance"}},
      {{"shift", "flow_shift"}, {"timestep_shift"}},
      {{"eta", "noise", "sde_noise"}, {"noise_level"}},
      {{"save_steps", "save_freq", "save_every", "save_interval", "checkpointing_steps"}, {"checkpoint_every"}},
      {{"save_total_limit", "checkpoints_total_limit", "max_checkpoints"}, {"keep_checkpoints"}},
      {{"eval_steps", "eval_freq", "eval_interval", "test_freq"}, {"every"}},
      {{"output_dir", "out", "output", "save_dir", "work_dir", "folder"}, {"dir"}},
      {{"gradient_checkpointing", "activation_checkpointing", "grad_checkpointing"}, {"recompute_layers"}},
      {{"fsdp", "zero_stage", "shard"}, {"shard_weights"}},
      {{"warmup", "warmup_ratio", "lr_warmup_steps", "num_warmup_steps"}, {"warmup_steps"}},
      {{"scheduler", "lr_scheduler", "lr_scheduler_type", "lr_schedule"}, {"decay"}},
      {{"grad_clip", "clip_grad", "clip_grad_norm", "gradient_clip", "max_norm"}, {"max_grad_norm"}},
      {{"lora_rank", "lora_r", "r"}, {"rank"}},
      {{"lora_alpha"}, {"alpha"}},
      {{"target_modules", "lora_target_modules"}, {"targets"}},
      {{"precision", "mixed_precision", "torch_dtype", "bf16"}, {"dtype"}},
      {{"dataset", "data_path", "train_files", "prompt_file", "file"}, {"path"}},
      {{"model_path", "pretrained_model", "pretrained_model_name_or_path", "model_name_or_path"}, {"model"}},
      {{"ema"}, {"ema_decay"}},
      {{"eps", "adam_eps", "adam_epsilon"}, {"epsilon"}},
      {{"wd"}, {"weight_decay"}},
  };
  return names;
}

std::string_view section_of(std::string_view key) {
  const size_t dot = key.rfind('.');
  return dot == key.npos ? "" : key.substr(0, dot);
}

std::string_view name_of(std::string_view key) {
  return key.substr(key.rfind('.') + 1);
}

std::string did_you_mean_one_of(const std::vector<std::string>& keys) {
  std::string text = "did you mean ";
  for (size_t i = 0; i < keys.size(); ++i) {
    if (i > 0) text += i + 1 == keys.size() ? " or " : ", ";
    text += cat("'", keys[i], "'");
  }
  return text + "?";
}

/** Keys with one of the names: those of the section, or else all. */
std::vector<std::string> keys_named(const Names& names, std::string_view section, const std::set<std::string>& known) {
  std::vector<std::string> here, anywhere;
  for (const std::string& key : known) {
    if (std::find(names.begin(), names.end(), name_of(key)) == names.end()) continue;
    anywhere.push_back(key);
    if (section_of(key) == section) here.push_back(key);
  }
  return here.empty() ? anywhere : here;
}

std::vector<std::string> keys_of_peers(std::string_view name, std::string_view section,
                                       const std::set<std::string>& known) {
  for (const auto& [theirs, ours] : names_of_peers())
    if (std::find(theirs.begin(), theirs.end(), name) != theirs.end()) return keys_named(ours, section, known);
  return {};
}

}  // namespace

std::string hint_at_keys(std::string_view key, const std::set<std::string>& known) {
  const std::string_view section = section_of(key), name = name_of(key);
  const auto usable = [](const std::vector<std::string>& keys) { return !keys.empty() && keys.size() <= kMostNamed; };
  if (const auto keys = keys_of_peers(name, section, known); usable(keys)) return did_you_mean_one_of(keys);

  std::set<std::string> names;  // of the section
  for (const std::string& other : known)
    if (section_of(other) == section) names.emplace(name_of(other));
  if (const auto similar = similar_name(name, names))
    return did_you_mean_one_of({section.empty() ? *similar : cat(section, ".", *similar)});
  if (!section.empty() && !names.empty()) return cat("`diptych recipe RECIPE` shows all keys of [", section, "]");

  // No section, or one that is not there.
  if (const auto keys = keys_named({name}, section, known); usable(keys)) return did_you_mean_one_of(keys);
  if (const auto similar = similar_name(key, known)) return did_you_mean_one_of({*similar});
  return "`diptych recipe RECIPE` shows all sections and keys";
}

}  // namespace diptych
