#include "diptych/parity/verify.h"

#include "diptych/base/error.h"
#include "diptych/parity/fixture.h"
#include "diptych/parity/items.h"

namespace diptych {

namespace {

struct Item {
  const char* name;
  const char* file;
  ItemResult (*run)(const ParityCase&);
};

constexpr Item kItems[] = {
    {"01 text prefill", "01_text_prefill.safetensors", text_prefill_item},
    {"02 decode", "02_decode.safetensors", decode_item},
    {"03 vit prefill", "03_vit_prefill.safetensors", vit_item},
    {"04 autoencoder", "04_vae.safetensors", autoencoder_item},
    {"05 clean latent", "05_vae_image_prefill.safetensors", clean_latent_item},
    {"06 velocity t2i", "06_velocity_t2i.safetensors", velocity_t2i_item},
    {"06 velocity edit", "06_velocity_edit.safetensors", velocity_edit_item},
    {"07 sampling", "07_ode.safetensors", sampling_item},
    {"08 edit context", "08_edit_context.safetensors", edit_context_item},
    {"09 training loss", "09_train.safetensors", training_item},
    {"09 training gradients", "09_train_grads.safetensors", training_gradient_item},
    {"09 dropped segments", "09_dropout_layouts.safetensors", dropout_layout_item},
    {"10 tokenizer", "10_tokenizer.json", tokenizer_item},
    {"11 resize rules", "11_resize_rules.json", resize_rule_item},
    {"12 resize pixels", "12_resize_pixels.safetensors", resize_pixel_item},
    {"13 components", "13_components.safetensors", component_item},
    {"14 denoise gradients", "14_denoise_grads.safetensors", denoise_gradient_item},
    {"15 joint update", "15_joint_update.safetensors", joint_update_item},
    {"15 full gradients", "15_joint_update_grads_full.safetensors", joint_full_item},
    {"15 detached gradients", "15_joint_update_grads_detached.safetensors", joint_detached_item},
    {"15 gradients of parts", "15_joint_update_grads_parts.safetensors", joint_parts_item},
    {"15 guided update", "15_joint_update_guided.safetensors", joint_guided_item},
    {"15 guided gradients", "15_joint_update_grads_guided.safetensors", joint_guided_full_item},
    {"15 guided flow gradients", "15_joint_update_grads_guided_flow.safetensors", joint_guided_flow_item},
    {"20 bfloat16", "20_bf16_reference.safetensors", bfloat16_item},
};

ItemResult failure(const Item& item, const std::string& text) {
  return {.item = item.name, .status = ItemStatus::failed, .detail = text};
}

ItemResult run(const Item& item, const std::filesystem::path& folder, ModelFolder& loaded) {
  try {
    return item.run({item.name, folder, &loaded});
  } catch (const c10::Error& error) {
    return failure(item, error.what_without_backtrace());
  } catch (const std::exception& error) {
    return failure(item, error.what());
  }
}

}  // namespace

std::vector<std::string> item_names() {
  std::vector<std::string> names;
  for (const Item& item : kItems) names.push_back(item.name);
  return names;
}

std::vector<ItemResult> verify_folder(const std::filesystem::path& folder, at::ScalarType dtype,
                                      const std::set<std::string>& only) {
  const auto stored = [&](const Item& item) { return Fixture::exists(folder / item.file); };
  if (std::none_of(std::begin(kItems), std::end(kItems), stored))
    throw Error(ExitCode::data, {folder.string(), "files such as 01_text_prefill.safetensors, and checkpoint/",
                                 "none of the files", "name the folder that holds checkpoint/"});
  ModelFolder loaded = load_model_folder(folder / "checkpoint", dtype);
  std::vector<ItemResult> results;
  for (const Item& item : kItems) {
    if (!only.empty() && !only.contains(item.name)) continue;
    results.push_back(stored(item) ? run(item, folder, loaded) : ItemResult{.item = item.name});
  }
  return results;
}

}  // namespace diptych
