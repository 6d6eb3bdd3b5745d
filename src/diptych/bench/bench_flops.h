#pragma once
// Floating-point operations, 2 per multiply-add, that model/bagel/flops.h leaves out.

#include "diptych/model/bagel/bagel.h"

namespace diptych {

/** Of the ViT and the connector for images of so many patches each: linear layers and the two products of attention. */
double vit_flops(const ModelConfig& config, const std::vector<int64_t>& patches);

/** Of one forward pass over a pack behind `cache_rows` rows of the cache, -1 without one: decoder layers and ViT,
 * without heads. */
double pack_flops(const ModelConfig& config, const std::vector<Segment>& segments, int64_t cache_rows);

/** Bytes of the decoder's linears, of the understanding expert or of both: what a pass of few rows reads. */
double decoder_bytes(Bagel& model, bool both);

/** Of the autoencoder's two halves for one image of so many pixels: convolutions and the products of attention. */
struct AutoencoderFlops {
  double encode = 0;
  double decode = 0;
};
AutoencoderFlops autoencoder_flops(const Autoencoder& autoencoder, int64_t pixels);

/** Of the text head for so many rows. */
double logits_flops(const ModelConfig& config, double rows);

}  // namespace diptych
