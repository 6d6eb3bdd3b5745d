#include "diptych/tensor/torch.h"

#include "diptych/rollout/image_sampler.h"

#include <gtest/gtest.h>

#include "diptych/flow/sde_step.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/tensor/image_tensor.h"
#include "support/compare.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

class ImageSamplerTest : public ::testing::Test {
 protected:
  const Bagel model_ = tiny_bagel();
  KvCache cache_ = make_cache(model_);
  DenoiseSchedule schedule_{.grid = timestep_grid(6, 2), .noise_level = 0.8, .window_begin = 1, .window_size = 2};

  /** Tasks of different contexts and sizes. */
  std::vector<ImageTask> tasks(const std::vector<uint64_t>& members) {
    std::vector<std::vector<int64_t>> prompts;
    for (const uint64_t number : members) prompts.push_back(std::vector<int64_t>(3 + number, 20 + int64_t(number)));
    std::vector<CachedContext> contexts(members.size());
    prefill(model_, cache_, text_chains(prompts), contexts);
    std::vector<ImageTask> tasks;
    for (size_t i = 0; i < members.size(); ++i) {
      ImageTask task;
      task.context = contexts[i];
      task.image_dropped = contexts[i];
      task.grid_height = 3 + static_cast<int64_t>(members[i] % 2);
      task.grid_width = 4;
      task.key = {.seed = 2, .step = 3, .prompt = members[i], .sample = members[i] + 1};
      tasks.push_back(task);
    }
    return tasks;
  }

  std::vector<SampledImage> sample(const std::vector<uint64_t>& members, const Guidance& guidance = {}) {
    return sample_images(model_, cache_, tasks(members), schedule_, guidance);
  }
};

void expect_equal(const SampledImage& actual, const SampledImage& expected) {
  EXPECT_TRUE(same_bits(actual.latent, expected.latent));
  EXPECT_TRUE(same_bits(actual.states, expected.states));
  EXPECT_TRUE(same_bits(actual.nexts, expected.nexts));
  EXPECT_TRUE(same_bits(actual.velocities, expected.velocities));
}

TEST_F(ImageSamplerTest, ImagesDoNotDependOnTheBatch) {
  const std::vector<uint64_t> all = {0, 1, 2, 3, 4, 5, 6, 7};
  const std::vector<SampledImage> together = sample(all);
  const int64_t used = cache_.used;
  for (const uint64_t number : all) expect_equal(sample({number})[0], together[number]);
  expect_equal(sample({5, 2})[1], together[2]);
  EXPECT_FALSE(same_bits(together[0].latent, together[2].latent));
  EXPECT_GT(cache_.used, used);  // by the prompts alone: images are scratch
  EXPECT_EQ(cache_.used, 2 * (8 * 3 + 28) + 3 + 5 + 3 + 2);
}

TEST_F(ImageSamplerTest, GuidedImagesDoNotDependOnTheBatch) {
  const Guidance guidance{.text_scale = 3, .image_scale = 1.5};
  const std::vector<SampledImage> together = sample({0, 1, 2, 3}, guidance);
  for (const uint64_t number : {0, 3}) expect_equal(sample({number}, guidance)[0], together[number]);
  EXPECT_FALSE(same_bits(sample({1})[0].latent, together[1].latent));
}

TEST_F(ImageSamplerTest, GuidanceCombinesTheBranches) {
  at::NoGradGuard no_grad;
  const std::vector<ImageTask> one = tasks({2});
  const Tensor x = initial_noise(one[0], 16);
  const auto velocity_behind = [&](const CachedContext& context) {
    ImageTask plain = one[0];
    plain.context = context;
    return denoise_velocity(model_, cache_, {plain}, x, 0.6, {});
  };
  const Guidance guidance{.text_scale = 4};
  const Tensor conditional = velocity_behind(one[0].context), unconditional = velocity_behind({});
  const Tensor expected = guided_velocity(conditional, unconditional, {}, guidance, 0.6);
  EXPECT_TRUE(close(denoise_velocity(model_, cache_, one, x, 0.6, guidance), expected, {.normalised = 1e-6}));
  EXPECT_FALSE(close(conditional, expected, {.normalised = 1e-3}));
  const Guidance outside{.text_scale = 4, .interval_low = 0.7};
  EXPECT_TRUE(same_bits(denoise_velocity(model_, cache_, one, x, 0.6, outside), conditional));
}

TEST_F(ImageSamplerTest, WindowWithoutNoiseEqualsEulerBitForBit) {
  schedule_.noise_level = 0;
  schedule_.window_begin = 0;
  schedule_.window_size = 5;
  const SampledImage windowed = sample({1})[0];
  const std::vector<ImageTask> task = tasks({1});
  Tensor x = initial_noise(task[0], 16);
  for (size_t step = 0; step + 1 < schedule_.grid.size(); ++step) {
    EXPECT_TRUE(same_bits(windowed.states[static_cast<int64_t>(step)], x));
    const Tensor v = denoise_velocity(model_, cache_, task, x, schedule_.grid[step], {});
    x = euler_step(x, v, schedule_.grid[step + 1] - schedule_.grid[step]);
  }
  EXPECT_TRUE(same_bits(windowed.latent, x));
  schedule_.window_size = 0;
  EXPECT_TRUE(same_bits(sample({1})[0].latent, x));
}

TEST_F(ImageSamplerTest, WindowTensorsReproduceTheSteps) {
  for (const int64_t begin : {0, 1, 3}) {  // the first and the last step included
    schedule_.window_begin = begin;
    const std::vector<ImageTask> members = tasks({0, 1});
    const std::vector<SampledImage> images = sample_images(model_, cache_, members, schedule_, {});
    for (size_t i = 0; i < images.size(); ++i) {
      ASSERT_EQ(images[i].states.sizes(), at::IntArrayRef({2, members[i].grid_height * 4, 16}));
      for (int64_t k = 0; k < 2; ++k) {
        const StepCoefficients step = sde_coefficients(schedule_.grid, begin + k, schedule_.noise_level);
        EXPECT_GT(step.std, 0);
        StreamKey key = members[i].key;
        key.purpose = Purpose::step_noise;
        key.position = static_cast<uint64_t>(begin + k) + 1;
        const Tensor noise = normal_tensor(key, images[i].states[k].sizes());
        const Tensor mean = step_mean(images[i].states[k], images[i].velocities[k], step);
        EXPECT_TRUE(same_bits(images[i].nexts[k], noisy_step(mean, noise, step)));
        EXPECT_TRUE(close(implied_noise(images[i].nexts[k], mean, step.std), noise, {.normalised = 1e-5}));
      }
      EXPECT_TRUE(same_bits(images[i].nexts[0], images[i].states[1]));
      if (begin == 0) {
        EXPECT_TRUE(same_bits(images[i].states[0], initial_noise(members[i], 16)));
      }
      if (begin == 3) {
        EXPECT_TRUE(same_bits(images[i].nexts[1], images[i].latent));
      }
    }
  }
}

TEST_F(ImageSamplerTest, WithoutAWindowThereAreNoWindowTensors) {
  schedule_.window_size = 0;
  const SampledImage image = sample({0})[0];
  EXPECT_EQ(image.latent.sizes(), at::IntArrayRef({12, 16}));
  EXPECT_FALSE(image.states.defined());
  EXPECT_FALSE(image.nexts.defined());
  EXPECT_FALSE(image.velocities.defined());
}

TEST_F(ImageSamplerTest, EveryDrawHasItsAddress) {
  ImageTask task = tasks({0})[0];
  const Tensor noise = initial_noise(task, 16);
  EXPECT_TRUE(same_bits(initial_noise(task, 16), noise));
  for (uint64_t StreamKey::*field : {&StreamKey::seed, &StreamKey::step, &StreamKey::prompt, &StreamKey::sample}) {
    ImageTask other = task;
    ++(other.key.*field);
    EXPECT_FALSE(same_bits(initial_noise(other, 16), noise));
  }
}

TEST_F(ImageSamplerTest, DecodedPixelsDoNotDependOnTheBatch) {
  std::vector<Tensor> latents;
  for (uint64_t i = 0; i < 3; ++i) latents.push_back(numbers(i, {12, 16}));
  const std::vector<Image> together = decode_latents(model_, latents, 3, 4);
  ASSERT_EQ(together.size(), 3u);
  EXPECT_EQ(together[0].height, 24);
  EXPECT_EQ(together[0].width, 32);
  EXPECT_NE(together[0].pixels, together[1].pixels);
  for (size_t i = 0; i < 3; ++i)
    EXPECT_EQ(decode_latents(model_, {latents[i]}, 3, 4)[0].pixels, together[i].pixels) << i;
}

}  // namespace
}  // namespace diptych
