// The model folder in assets/: complete, small, and its autoencoder good enough for the exact verifier.

#include <gtest/gtest.h>

#include <filesystem>

#include "diptych/model/folder/folder.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/verify/verify.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/torch.h"

namespace diptych {
namespace {

const std::filesystem::path kBase = std::filesystem::path(DIPTYCH_SOURCE_DIR) / "assets" / "shapes_base";

TEST(ShippedModel, IsAtMostTwelveMegabytes) {
  uintmax_t bytes = 0;
  for (const auto& entry : std::filesystem::directory_iterator(kBase)) bytes += entry.file_size();
  EXPECT_LE(bytes, 12'000'000u);
}

TEST(ShippedModel, AutoencoderKeepsScenesCorrect) {
  at::NoGradGuard no_grad;
  const ModelFolder folder = load_model_folder(kBase);
  const shapes::World world;
  constexpr int kScenes = 300;
  std::vector<Tensor> pixels;
  std::vector<shapes::Request> requests;
  for (const shapes::Prompt& prompt : shapes::evaluation_pool(shapes::Split::test, false, kScenes, 0)) {
    Stream stream({.seed = 7, .purpose = Purpose::scene, .prompt = pixels.size()});
    pixels.push_back(image_to_tensor(shapes::render(shapes::sample_scene(prompt.request, world, stream), world)));
    requests.push_back(prompt.request);
  }
  const Tensor images = at::stack(pixels);
  const Tensor mean = encode_moments(folder.model.autoencoder, images).mean;
  const Tensor decoded =
      decode(folder.model.autoencoder, encode(folder.model.autoencoder, images, at::zeros_like(mean)));
  int correct = 0;
  for (int i = 0; i < kScenes; ++i)
    correct += shapes::verify(tensor_to_image(decoded[i]), requests[static_cast<size_t>(i)], world).correct ? 1 : 0;
  EXPECT_GE(correct, 297) << "of " << kScenes;
}

}  // namespace
}  // namespace diptych
