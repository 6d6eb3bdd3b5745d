#include "diptych/parity/images.h"

#include "diptych/tensor/image_tensor.h"

namespace diptych {

at::ScalarType autoencoder_dtype(const Bagel& model) {
  return model.autoencoder.encoder.conv_in.weight.scalar_type();
}

Tensor encode_stored(const Bagel& model, const Tensor& canvas, const Tensor& eps) {
  const at::ScalarType dtype = autoencoder_dtype(model);
  return encode(model.autoencoder, canvas.to(dtype), eps.to(dtype));
}

Tensor cropped_tokens(const Bagel& model, const Tensor& canvas, int64_t i, int64_t rows, int64_t columns) {
  const int64_t patch = model.config.latent_patch;
  return patchify_latent(canvas[i].narrow(1, 0, rows * patch).narrow(2, 0, columns * patch), patch);
}

void compare_decoded(Comparison& comparison, const std::string& prefix, const Tensor& decoded) {
  const Tensor image = decoded.dim() == 4 ? decoded[0] : decoded;
  comparison.close(prefix + "raw", decoded);
  comparison.close(prefix + "float255", image.mul(0.5).add(0.5).clamp(0, 1).mul(255).permute({1, 2, 0}));
  comparison.truncated_image(prefix + "uint8", prefix + "float255", tensor_to_image(image));
}

Image stored_image(const Tensor& pixels) {
  const Tensor bytes = pixels.contiguous();
  const uint8_t* first = bytes.const_data_ptr<uint8_t>();
  return {static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), {first, first + bytes.numel()}};
}

}  // namespace diptych
