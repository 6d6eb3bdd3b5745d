#include "diptych/tensor/image_tensor.h"

#include <gtest/gtest.h>

#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

std::map<std::string, Tensor> fixture(const char* name) {
  return load_tensors(fixture_folder() / "bagel_tiny" / name);
}

Image to_image(const Tensor& bytes) {
  const Tensor packed = bytes.contiguous();
  const auto* first = packed.const_data_ptr<uint8_t>();
  return {static_cast<int>(bytes.size(0)), static_cast<int>(bytes.size(1)), {first, first + packed.numel()}};
}

TEST(ImageTensorTest, PixelsMatchTheReference) {
  const std::map<std::string, Tensor> vae = fixture("04_vae.safetensors");
  int images = 0;
  for (; vae.contains("in.image" + std::to_string(images) + "_uint8"); ++images) {
    const std::string prefix = "in.image" + std::to_string(images);
    const Tensor pixels = image_to_tensor(to_image(vae.at(prefix + "_resized_uint8")));
    EXPECT_TRUE(close(pixels, vae.at(prefix + "_pixels"), {.absolute = 1e-6})) << prefix;
  }
  EXPECT_GT(images, 0);
}

TEST(ImageTensorTest, DecoderOutputIsTruncatedAsInTheReference) {
  const std::map<std::string, Tensor> vae = fixture("04_vae.safetensors");
  int images = 0;
  for (; vae.contains("out.decode" + std::to_string(images) + "_raw"); ++images) {
    const std::string prefix = "out.decode" + std::to_string(images);
    const Image image = tensor_to_image(vae.at(prefix + "_raw").squeeze(0));
    EXPECT_EQ(image.pixels, to_image(vae.at(prefix + "_uint8")).pixels) << prefix;
  }
  EXPECT_GT(images, 0);
}

TEST(ImageTensorTest, DecoderOutputIsClamped) {
  const Tensor extremes = at::tensor({-3.0F, -1.0F, 0.0F, 0.999F, 1.0F, 3.0F}).view({1, 1, 6}).expand({3, 1, 6});
  const Image image = tensor_to_image(extremes);
  const std::vector<int> expected = {0, 0, 127, 254, 255, 255};
  for (size_t x = 0; x < expected.size(); ++x) EXPECT_EQ(image.pixels[3 * x], expected[x]) << x;
}

TEST(ImageTensorTest, PatchOrderMatchesTheReference) {
  const std::map<std::string, Tensor> parts = fixture("13_components.safetensors");
  const Tensor &latent = parts.at("patchify.latent"), &tokens = parts.at("patchify.tokens");
  const int64_t channels = latent.size(0);
  const auto patch = static_cast<int64_t>(std::sqrt(tokens.size(1) / channels));
  EXPECT_TRUE(same_bits(patchify_latent(latent, patch), tokens));
  const int64_t rows = latent.size(1) / patch, columns = latent.size(2) / patch;
  EXPECT_TRUE(same_bits(unpatchify_latent(tokens, rows, columns, patch), latent));
  const Tensor& patches = parts.at("patchify.rgb_patches");
  const auto rgb_patch = static_cast<int64_t>(std::sqrt(patches.size(1) / 3));
  EXPECT_TRUE(same_bits(patchify_rgb(parts.at("patchify.rgb"), rgb_patch), patches));
}

TEST(ImageTensorTest, BatchedPatchesAreThoseOfEachImage) {
  const Tensor latents = at::arange(2 * 3 * 4 * 6, at::kFloat).view({2, 3, 4, 6});
  const Tensor tokens = patchify_latent(latents, 2);
  EXPECT_TRUE(same_bits(tokens[1], patchify_latent(latents[1], 2)));
  EXPECT_TRUE(same_bits(unpatchify_latent(tokens, 2, 3, 2), latents));
}

}  // namespace
}  // namespace diptych
