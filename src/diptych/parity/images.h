#pragma once
// Images and latents of fixture files as the model takes them.

#include "diptych/model/bagel/image_input.h"
#include "diptych/parity/comparison.h"

namespace diptych {

/** The autoencoder's weights may have another dtype than the transformer's. */
at::ScalarType autoencoder_dtype(const Bagel& model);

/** encode() of a stored canvas [N, 3, H, W] with stored noise. */
Tensor encode_stored(const Bagel& model, const Tensor& canvas, const Tensor& eps);

/** Latent tokens of image i of a canvas of latents [N, z, h, w]; the image covers the top left `rows` x `columns`
 *  tokens of it. */
Tensor cropped_tokens(const Bagel& model, const Tensor& canvas, int64_t i, int64_t rows, int64_t columns);

/** Decoder output [3, H, W] or [1, 3, H, W] against `prefix`raw, its bytes against `prefix`float255 and `prefix`uint8.
 */
void compare_decoded(Comparison& comparison, const std::string& prefix, const Tensor& decoded);

/** A stored image [H, W, 3] uint8. */
Image stored_image(const Tensor& pixels);

}  // namespace diptych
