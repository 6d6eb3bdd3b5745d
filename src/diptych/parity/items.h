#pragma once
// The items of `verify`, each comparing the model with one file of a fixture folder (or with several that belong
// together). File formats: the README of the fixture folder.

#include <filesystem>

#include "diptych/model/folder/folder.h"
#include "diptych/parity/item.h"

namespace diptych {

/** What every item starts from. */
struct ParityCase {
  std::string item;               // name in the report
  std::filesystem::path folder;   // the fixture folder
  ModelFolder* loaded = nullptr;  // its checkpoint; slots must keep requires_grad off between items

  const Bagel& model() const { return loaded->model; }
};

/** Ids of the text prompts, markers included, from file 01. */
std::vector<std::vector<int64_t>> stored_prompts(const std::filesystem::path& folder);

ItemResult text_prefill_item(const ParityCase& parity);       // 01: prompts in one pack, logits, cache
ItemResult decode_item(const ParityCase& parity);             // 02: greedy and forced decoding behind the cache of 01
ItemResult vit_item(const ParityCase& parity);                // 03: image, SigLIP, connector, prefill
ItemResult autoencoder_item(const ParityCase& parity);        // 04: encode and decode
ItemResult clean_latent_item(const ParityCase& parity);       // 05: clean image blocks
ItemResult velocity_t2i_item(const ParityCase& parity);       // 06: velocities behind stored contexts, all guidance
ItemResult velocity_edit_item(const ParityCase& parity);      // 06
ItemResult sampling_item(const ParityCase& parity);           // 07: complete sampling, decoded
ItemResult edit_context_item(const ParityCase& parity);       // 08: editing from the image on
ItemResult training_item(const ParityCase& parity);           // 09: losses and visibility of one training pack
ItemResult training_gradient_item(const ParityCase& parity);  // 09: its gradients
ItemResult dropout_layout_item(const ParityCase& parity);     // 09: positions where segments are dropped
ItemResult tokenizer_item(const ParityCase& parity);          // 10
ItemResult resize_rule_item(const ParityCase& parity);        // 11: image sizes
ItemResult resize_pixel_item(const ParityCase& parity);       // 12: resized pixels, colour conversion
ItemResult component_item(const ParityCase& parity);          // 13: time, RoPE, patches, grids
ItemResult denoise_gradient_item(const ParityCase& parity);   // 14: gradients through one velocity
ItemResult joint_update_item(const ParityCase& parity);       // 15: values and losses of the joint update
ItemResult joint_full_item(const ParityCase& parity);         // 15: its gradients
ItemResult joint_detached_item(const ParityCase& parity);
ItemResult joint_parts_item(const ParityCase& parity);
ItemResult joint_guided_item(const ParityCase& parity);
ItemResult joint_guided_full_item(const ParityCase& parity);
ItemResult joint_guided_flow_item(const ParityCase& parity);
ItemResult bfloat16_item(const ParityCase& parity);  // 20: the model in bfloat16, loosely

}  // namespace diptych
