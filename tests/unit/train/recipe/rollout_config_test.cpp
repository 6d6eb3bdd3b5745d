#include "diptych/train/recipe/rollout_config.h"

#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"
#include "diptych/shapes/reflection/reflection.h"
#include "diptych/text/system_prompt.h"
#include "support/expect_error.h"

namespace diptych {
namespace {

TEST(RolloutConfigTest, UpdatesMakeOneMorePoint) {
  RolloutConfig config;
  config.updates = 10;
  EXPECT_EQ(episode_options(config, 0).schedule.grid, timestep_grid(11, 3));
  EXPECT_EQ(episode_options(config, 4).schedule.grid, timestep_grid(5, 3));
  config.updates_are_points = true;  // as BAGEL counts
  EXPECT_EQ(episode_options(config, 0).schedule.grid, timestep_grid(10, 3));
  EXPECT_EQ(episode_options(config, 4).schedule.grid, timestep_grid(4, 3));
}

TEST(RolloutConfigTest, CarriesEveryChoiceOver) {
  RolloutConfig config;
  config.episode = "t2i";
  config.max_think_tokens = 12;
  config.temperature = 0.5;
  config.top_p = 0.9;
  config.top_k = 7;
  config.image_size = 48;
  config.noise_level = 0.3;
  config.guidance.text_scale = 2.5;
  config.chains_per_pack = 3;
  const EpisodeOptions options = episode_options(config, 0);
  EXPECT_EQ(options.program.name, "t2i");
  EXPECT_EQ(options.text.max_tokens, 12);
  EXPECT_EQ(options.text.temperature, 0.5);
  EXPECT_EQ(options.text.top_p, 0.9);
  EXPECT_EQ(options.text.top_k, 7);
  EXPECT_EQ(options.image_height, 48);
  EXPECT_EQ(options.image_width, 48);
  EXPECT_EQ(options.schedule.noise_level, 0.3);
  EXPECT_EQ(options.schedule.window_size, 0);
  EXPECT_EQ(options.guidance.text_scale, 2.5);
  EXPECT_EQ(options.chains_per_pack, 3);
}

TEST(RolloutConfigTest, SystemPromptsHaveNames) {
  RolloutConfig config;
  EXPECT_EQ(episode_options(config, 0).system_prompt, "");
  config.system_prompt = "bagel";
  EXPECT_EQ(episode_options(config, 0).system_prompt, kGenerationSystemPrompt);
  config.system_prompt = "Be brief.";
  EXPECT_EQ(episode_options(config, 0).system_prompt, "Be brief.");
}

TEST(RolloutConfigTest, RefinementPromptsHaveNames) {
  RolloutConfig config;
  EXPECT_EQ(episode_options(config, 0).reflection_prompt, shapes::reflection_prompt("{prompt}"));
  EXPECT_EQ(episode_options(config, 0).review_prompt, shapes::review_prompt("{prompt}"));
  config.reflection_prompt = config.review_prompt = "bagel";
  EXPECT_EQ(episode_options(config, 0).reflection_prompt, kReflectionPrompt);
  EXPECT_EQ(episode_options(config, 0).review_prompt, kReviewPrompt);
  config.review_prompt = "Is it {prompt}?";
  EXPECT_EQ(episode_options(config, 0).review_prompt, "Is it {prompt}?");
}

TEST(RolloutConfigTest, PicturesWithAndWithoutAnImageHaveGuidanceOfTheirOwn) {
  RolloutConfig config;
  config.guidance = {.text_scale = 4, .interval = {0.4, 1}};
  config.edit_guidance = {.text_scale = 3, .image_scale = 2, .renorm = "text_channel", .renorm_min = 0.5};
  const EpisodeOptions options = episode_options(config, 0);
  EXPECT_EQ(options.guidance.text_scale, 4);
  EXPECT_EQ(options.guidance.interval_low, 0.4);
  EXPECT_EQ(options.guidance.renorm, RenormType::global);
  EXPECT_EQ(options.edit_guidance.image_scale, 2);
  EXPECT_EQ(options.edit_guidance.interval_low, 0);
  EXPECT_EQ(options.edit_guidance.renorm, RenormType::text_channel);
  EXPECT_EQ(options.edit_guidance.renorm_min, 0.5);
  config.edit_guidance.renorm = "channel";
  EXPECT_EQ(episode_options(config, 0).edit_guidance.renorm, RenormType::channel);
  for (const std::vector<double>& interval : std::vector<std::vector<double>>{{0.5}, {-0.1, 1}, {0.6, 0.5}}) {
    config.edit_guidance.interval = interval;
    expect_error([&] { episode_options(config, 0); }, ExitCode::config, {"rollout.edit_guidance.interval"});
  }
}

TEST(RolloutConfigTest, TheWindowMustFitItsRangeAndTheUpdates) {
  const auto with = [](std::vector<int64_t> range, int64_t size, int64_t updates, bool points) {
    RolloutConfig config;
    config.window_range = std::move(range);
    config.window_size = size;
    config.updates = updates;
    config.updates_are_points = points;
    episode_options(config, 0);
  };
  EXPECT_NO_THROW(with({0, 5}, 5, 5, false));
  const std::vector<std::string> parts = {"rollout.window_range", "window_size"};
  expect_error([&] { with({0, 5}, 5, 5, true); }, ExitCode::config, {"within the 4 updates", "[0, 5]"});
  expect_error([&] { with({2, 4}, 3, 9, false); }, ExitCode::config, parts);
  expect_error([&] { with({-1, 4}, 2, 9, false); }, ExitCode::config, parts);
  expect_error([&] { with({4, 2}, 1, 9, false); }, ExitCode::config, parts);
  expect_error([&] { with({3}, 1, 9, false); }, ExitCode::config, parts);
  for (const int64_t far : {INT64_MIN, INT64_MAX})
    for (const int64_t near : {0, 5, -1}) {
      expect_error([&] { with({near, far}, 1, 9, false); }, ExitCode::config, parts);
      expect_error([&] { with({far, near}, 1, 9, false); }, ExitCode::config, parts);
    }
}

TEST(RolloutConfigTest, KeysThatRuleEachOtherOutAreNamed) {
  RolloutConfig config;
  for (const double temperature : {1e-320, 1e-6, 9e-4}) {
    config.temperature = temperature;
    expect_error([&] { episode_options(config, 0); }, ExitCode::config, {"rollout.temperature", "0.001"});
  }
  config.temperature = 0;
  config.updates_are_points = true;
  EXPECT_NO_THROW(episode_options(config, 2));
  expect_error([&] { episode_options(config, 1); }, ExitCode::config, {"eval.updates", "updates_are_points"});
}

TEST(RolloutConfigTest, TheImageSizeMustFitTheModel) {
  ModelConfig model;
  model.latent_patch = 2;
  model.vae.downsample = 8;
  model.max_latent_size = 64;
  const auto with = [&](int64_t size) {
    RolloutConfig config;
    config.image_size = size;
    check_image_size(config, model);
  };
  EXPECT_NO_THROW(with(16));
  EXPECT_NO_THROW(with(1024));
  expect_error([&] { with(40); }, ExitCode::config,
               {"rollout.image_size", "a multiple of 16 up to 1024 pixels", "got 40"});
  expect_error([&] { with(1040); }, ExitCode::config, {"rollout.image_size", "got 1040"});
  expect_error([&] { with(8); }, ExitCode::config, {"rollout.image_size", "got 8"});
}

}  // namespace
}  // namespace diptych
