#pragma once
// Images as tensors, and the patch order of BAGEL (Bagel data/data_utils.py patchify, inferencer.py decode_image).

#include "diptych/tensor/torch.h"

#include "diptych/io/image/image.h"

namespace diptych {

/** [3, H, W] float32 in [-1, 1]: (x / 255 - 0.5) / 0.5. */
Tensor image_to_tensor(const Image& image);

/** An image of decoder output [3, H, W] (any float dtype, any device): clamp(x * 0.5 + 0.5, 0, 1) * 255, truncated to
 *  8 bit as BAGEL does, not rounded. */
Image tensor_to_image(const Tensor& decoded);

/** [C, h*p, w*p] -> [h*w, p*p*C], or batched [N, C, h*p, w*p] -> [N, h*w, p*p*C]. Tokens row-major over (h, w); inside
 *  a token (dy, dx, channel), channel fastest. Differentiable. */
Tensor patchify_latent(const Tensor& latent, int64_t patch);

/** Inverse of patchify_latent: tokens [h*w, p*p*C] or [N, h*w, p*p*C] of a grid of `rows` x `columns` tokens. */
Tensor unpatchify_latent(const Tensor& tokens, int64_t rows, int64_t columns, int64_t patch);

/** Pixel patches for the ViT, [3, H, W] -> [patches, p*p*3]: the same order with rgb as the channel. */
Tensor patchify_rgb(const Tensor& pixels, int64_t patch);

}  // namespace diptych
