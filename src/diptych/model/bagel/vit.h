#pragma once
// SigLIP image encoder for patches of any grid, and the connector into the language model (bagel.md 6).

#include "diptych/model/config/model_config.h"
#include "diptych/model/layers/layers.h"

namespace diptych {

struct VitLayer {
  LayerNorm norm_before_attention;
  Linear query, key, value, output;
  LayerNorm norm_before_mlp;
  Linear mlp_in, mlp_out;
};

struct Vit {
  Linear patch_embedding;     // [hidden, patch * patch * 3]
  Tensor position_embedding;  // [max_patches_per_side^2, hidden], learned
  std::vector<VitLayer> layers;
  LayerNorm norm_after;
  Linear connector_in, connector_out;  // [D, hidden], [D, D]
  Tensor pos_embed;                    // [max_patches_per_side^2, D], fixed, added after the connector
};

/** Weights on the meta device. */
Vit make_vit(const ModelConfig& config);

/** Slots under the official names `vit_model.vision_model.*`, `connector.*` and `vit_pos_embed.pos_embed`
 *  (bagel.md 10.1). The last is a fixed table, not a parameter. */
void collect(std::vector<ParameterSlot>& slots, Vit& vit);

/** Encodes the patches of one or several images, concatenated. patches [n, patch * patch * 3] as patchify_rgb makes
 *  them; position_ids [n] int64 = row * max_patches_per_side + column; lengths: patches per image, sum n. Each image
 *  attends to itself only. Returns [n, hidden], after the last norm. */
Tensor vit_forward(const Vit& vit, const ModelConfig& config, const Tensor& patches, const Tensor& position_ids,
                   const std::vector<int64_t>& lengths);

/** The connector, [n, hidden] -> [n, D], without the position table. */
Tensor connect(const Vit& vit, const Tensor& features);

}  // namespace diptych
