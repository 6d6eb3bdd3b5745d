#pragma once
// What a forward pass costs, for achieved rates.

#include "diptych/model/attention/pack_layout.h"
#include "diptych/model/config/model_config.h"

namespace diptych {

/** Floating-point operations of the decoder layers for a pack (2 per multiply-add): linear layers of every row, and the
 *  two products of attention over the padded blocks. Embeddings, heads, norms and the ViT are left out. */
double forward_flops(const ModelConfig& config, const PackLayout& layout);

}  // namespace diptych
