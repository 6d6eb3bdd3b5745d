#pragma once
// The FLUX autoencoder between pixels and latents (bagel.md 7.2; Bagel modeling/autoencoder.py).

#include "diptych/model/config/model_config.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

struct Conv {
  Tensor weight;  // [out, in, k, k]
  Tensor bias;    // [out]
};

struct GroupNorm {
  Tensor weight;  // [channels]
  Tensor bias;    // [channels]
};

struct ResBlock {
  GroupNorm norm1;
  Conv conv1;
  GroupNorm norm2;
  Conv conv2;
  std::optional<Conv> shortcut;  // 1 x 1, where the channels change
};

struct AttentionBlock {
  GroupNorm norm;
  Conv query, key, value, output;  // 1 x 1
};

struct MiddleBlock {
  ResBlock before;
  AttentionBlock attention;
  ResBlock after;
};

/** Blocks of one resolution, then the change to the next one; the last level has none. */
struct Level {
  std::vector<ResBlock> blocks;
  std::optional<Conv> resample;
};

struct Encoder {
  Conv conv_in;
  std::vector<Level> levels;  // highest resolution first
  MiddleBlock middle;
  GroupNorm norm_out;
  Conv conv_out;
};

struct Decoder {
  Conv conv_in;
  MiddleBlock middle;
  std::vector<Level> levels;  // highest resolution first, applied last to first
  GroupNorm norm_out;
  Conv conv_out;
};

struct Autoencoder {
  AutoencoderConfig config;
  Encoder encoder;
  Decoder decoder;
};

/** Weights on the meta device. */
Autoencoder make_autoencoder(const ModelConfig& config);

/** Slots under the official names of ae.safetensors (bagel.md 10.2). */
void collect(std::vector<ParameterSlot>& slots, Autoencoder& autoencoder);

/** Posterior of the raw latent, each [N, z, H / downsample, W / downsample]. */
struct Moments {
  Tensor mean;
  Tensor logvar;
};

/** images [N, 3, H, W] in [-1, 1], sides multiples of `downsample`. Images of one batch do not influence each other:
 *  unlike the reference, which puts images of different sizes on one padded canvas, encode each size by itself. */
Moments encode_moments(const Autoencoder& autoencoder, const Tensor& images);

/** Normalised latent of a draw from the posterior, scale * (mean + exp(logvar / 2) * eps - shift); eps as the mean. */
Tensor encode(const Autoencoder& autoencoder, const Tensor& images, const Tensor& eps);

/** Normalised latents [N, z, h, w] -> images [N, 3, h * downsample, w * downsample], about [-1, 1], not clamped. */
Tensor decode(const Autoencoder& autoencoder, const Tensor& latents);

}  // namespace diptych
