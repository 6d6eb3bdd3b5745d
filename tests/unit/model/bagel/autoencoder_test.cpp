#include "diptych/model/bagel/autoencoder.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/tensor/random.h"
#include "support/compare.h"
#include "unit/model/model_fixture.h"

namespace diptych {
namespace {

constexpr Tolerance kTolerance = {.absolute = 3e-5};

Autoencoder fixture_autoencoder() {
  Autoencoder autoencoder = make_autoencoder(load_model_config(bagel_fixture("checkpoint")));
  std::vector<ParameterSlot> slots;
  collect(slots, autoencoder);
  const std::map<std::string, Tensor> stored = load_tensors(bagel_fixture("checkpoint/ae.safetensors"));
  EXPECT_EQ(slots.size(), stored.size());
  fill_slots(slots, stored);
  return autoencoder;
}

/** A small model with random weights, fewer channels than the usual 32 norm groups. */
Autoencoder small_autoencoder(at::ScalarType dtype) {
  ModelConfig config;
  config.vae = {.z_channels = 4,
                .downsample = 4,
                .channels = 12,
                .channel_multipliers = {1, 2, 2},
                .res_blocks = 1,
                .norm_groups = 4};
  Autoencoder autoencoder = make_autoencoder(config);
  std::vector<ParameterSlot> slots;
  collect(slots, autoencoder);
  for (size_t i = 0; i < slots.size(); ++i) {
    const at::IntArrayRef shape = slots[i].tensor->sizes();
    const double fan_in = shape.size() == 4 ? static_cast<double>(shape[1] * shape[2] * shape[3]) : 25;
    const bool is_norm_weight = shape.size() == 1 && slots[i].name.ends_with("weight");
    const Tensor noise = normal_tensor({.seed = 5, .position = i}, shape).div(std::sqrt(fan_in));
    *slots[i].tensor = (is_norm_weight ? noise + 1 : noise).to(dtype);
  }
  return autoencoder;
}

TEST(AutoencoderTest, NamesAndShapesOfThePublishedModel) {
  Autoencoder autoencoder = make_autoencoder(ModelConfig{});
  std::vector<ParameterSlot> slots;
  collect(slots, autoencoder);
  int64_t parameters = 0;
  for (const ParameterSlot& slot : slots) parameters += slot.tensor->numel();
  EXPECT_EQ(slots.size(), 244U);
  EXPECT_EQ(parameters, 83819683);
}

TEST(AutoencoderTest, EncodingMatchesTheReference) {
  const at::NoGradGuard no_grad;
  const Autoencoder autoencoder = fixture_autoencoder();
  const std::map<std::string, Tensor> vae = load_tensors(bagel_fixture("04_vae.safetensors"));
  int images = 0;
  for (; vae.contains(cat("in.image", images, "_pixels")); ++images) {
    const std::string out = cat("out.image", images, "_");
    const Tensor pixels = vae.at(cat("in.image", images, "_pixels")).unsqueeze(0);
    const Moments moments = encode_moments(autoencoder, pixels);
    EXPECT_TRUE(close(moments.mean, vae.at(out + "mean"), kTolerance)) << images;
    EXPECT_TRUE(close(moments.logvar, vae.at(out + "logvar"), kTolerance)) << images;
    const Tensor latent = encode(autoencoder, pixels, vae.at(cat("in.image", images, "_eps")));
    EXPECT_TRUE(close(latent, vae.at(out + "latent"), kTolerance)) << images;
    EXPECT_TRUE(close(decode(autoencoder, latent), vae.at(out + "roundtrip"), kTolerance)) << images;
  }
  EXPECT_GT(images, 0);
}

TEST(AutoencoderTest, PaddedCanvasMatchesTheReference) {
  const at::NoGradGuard no_grad;
  const std::map<std::string, Tensor> vae = load_tensors(bagel_fixture("04_vae.safetensors"));
  const Moments moments = encode_moments(fixture_autoencoder(), vae.at("in.padded_images"));
  EXPECT_TRUE(close(moments.mean, vae.at("out.padded_mean"), kTolerance));
  EXPECT_TRUE(close(moments.logvar, vae.at("out.padded_logvar"), kTolerance));
}

TEST(AutoencoderTest, DecodingMatchesTheReference) {
  const at::NoGradGuard no_grad;
  const Autoencoder autoencoder = fixture_autoencoder();
  const std::map<std::string, Tensor> vae = load_tensors(bagel_fixture("04_vae.safetensors"));
  int images = 0;
  for (; vae.contains(cat("in.decode", images, "_latent")); ++images) {
    const Tensor decoded = decode(autoencoder, vae.at(cat("in.decode", images, "_latent")));
    EXPECT_TRUE(close(decoded, vae.at(cat("out.decode", images, "_raw")), kTolerance)) << images;
  }
  EXPECT_GT(images, 0);
}

TEST(AutoencoderTest, ImagesDoNotDependOnTheBatch) {
  const at::NoGradGuard no_grad;
  const Autoencoder autoencoder = small_autoencoder(at::kFloat);
  const Tensor images = normal_tensor({.seed = 1}, {9, 3, 32, 32});
  const Tensor latents = normal_tensor({.seed = 2}, {9, 4, 8, 8});
  const Moments moments = encode_moments(autoencoder, images);
  const Tensor decoded = decode(autoencoder, latents);
  for (const int64_t count : {1, 2, 3, 4, 8}) {
    const Moments part = encode_moments(autoencoder, images.narrow(0, 1, count));
    EXPECT_TRUE(same_bits(part.mean, moments.mean.narrow(0, 1, count))) << count;
    EXPECT_TRUE(same_bits(part.logvar, moments.logvar.narrow(0, 1, count))) << count;
    EXPECT_TRUE(same_bits(decode(autoencoder, latents.narrow(0, 1, count)), decoded.narrow(0, 1, count))) << count;
  }
}

TEST(AutoencoderTest, GradientsAgreeWithDifferences) {
  Autoencoder autoencoder = small_autoencoder(at::kDouble);
  std::vector<ParameterSlot> slots;
  collect(slots, autoencoder);
  std::vector<Tensor> weights, directions;
  for (size_t i = 0; i < slots.size(); ++i) {
    weights.push_back(slots[i].tensor->set_requires_grad(true));
    directions.push_back(normal_tensor({.seed = 3, .position = i}, weights[i].sizes()).to(at::kDouble));
  }
  const Tensor images = normal_tensor({.seed = 1}, {2, 3, 8, 8}).to(at::kDouble);
  const Tensor eps = normal_tensor({.seed = 2}, {2, 4, 2, 2}).to(at::kDouble);
  const auto loss = [&] { return (decode(autoencoder, encode(autoencoder, images, eps)) - images).square().mean(); };
  loss().backward();
  double slope = 0;
  for (size_t i = 0; i < weights.size(); ++i) slope += (weights[i].grad() * directions[i]).sum().item<double>();
  const at::NoGradGuard no_grad;
  const auto loss_at = [&](double offset) {
    for (size_t i = 0; i < weights.size(); ++i) weights[i].add_(directions[i], offset);
    const double value = loss().item<double>();
    for (size_t i = 0; i < weights.size(); ++i) weights[i].sub_(directions[i], offset);
    return value;
  };
  const double step = 1e-6;
  EXPECT_NEAR((loss_at(step) - loss_at(-step)) / (2 * step), slope, 1e-6 * std::abs(slope));
}

}  // namespace
}  // namespace diptych
