#include "diptych/tensor/image_tensor.h"

#include <cstring>

namespace diptych {

Tensor image_to_tensor(const Image& image) {
  TORCH_CHECK(image.pixels.size() == static_cast<size_t>(image.height) * image.width * 3,
              "image size and pixels differ");
  Tensor bytes = at::empty({image.height, image.width, 3}, at::kByte);
  if (!image.pixels.empty()) std::memcpy(bytes.data_ptr(), image.pixels.data(), image.pixels.size());
  const Tensor pixels = bytes.permute({2, 0, 1}).to(at::kFloat);
  return pixels.div(255).sub(0.5).div(0.5).contiguous();
}

Image tensor_to_image(const Tensor& decoded) {
  TORCH_CHECK(decoded.dim() == 3 && decoded.size(0) == 3, "expected [3, H, W], got ", decoded.sizes());
  const Tensor unit = decoded.detach().mul(0.5).add(0.5).clamp(0, 1);
  const Tensor bytes = unit.mul(255).to(at::kByte).permute({1, 2, 0}).cpu().contiguous();
  const uint8_t* first = bytes.const_data_ptr<uint8_t>();
  return {.height = static_cast<int>(bytes.size(0)),
          .width = static_cast<int>(bytes.size(1)),
          .pixels = std::vector<uint8_t>(first, first + bytes.numel())};
}

Tensor patchify_latent(const Tensor& latent, int64_t patch) {
  if (latent.dim() == 3) return patchify_latent(latent.unsqueeze(0), patch).squeeze(0);
  TORCH_CHECK(latent.dim() == 4, "expected [N, C, H, W], got ", latent.sizes());
  const int64_t images = latent.size(0), channels = latent.size(1);
  const int64_t rows = latent.size(2) / patch, columns = latent.size(3) / patch;
  TORCH_CHECK(rows * patch == latent.size(2) && columns * patch == latent.size(3), "sides of ", latent.sizes(),
              " are no multiples of ", patch);
  return latent.reshape({images, channels, rows, patch, columns, patch})
      .permute({0, 2, 4, 3, 5, 1})
      .reshape({images, rows * columns, patch * patch * channels});
}

Tensor unpatchify_latent(const Tensor& tokens, int64_t rows, int64_t columns, int64_t patch) {
  if (tokens.dim() == 2) return unpatchify_latent(tokens.unsqueeze(0), rows, columns, patch).squeeze(0);
  TORCH_CHECK(tokens.dim() == 3 && tokens.size(1) == rows * columns, "expected [N, ", rows * columns, ", width], got ",
              tokens.sizes());
  const int64_t images = tokens.size(0), channels = tokens.size(2) / (patch * patch);
  return tokens.reshape({images, rows, columns, patch, patch, channels})
      .permute({0, 5, 1, 3, 2, 4})
      .reshape({images, channels, rows * patch, columns * patch});
}

Tensor patchify_rgb(const Tensor& pixels, int64_t patch) {
  TORCH_CHECK(pixels.dim() == 3 && pixels.size(0) == 3, "expected [3, H, W], got ", pixels.sizes());
  return patchify_latent(pixels, patch);
}

}  // namespace diptych
