#include "diptych/tensor/torch.h"

#include "diptych/rollout/episode.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/rollout/replay.h"
#include "support/compare.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"
#include "support/tiny_model.h"
#include "unit/rollout/same_rollout.h"

namespace diptych {
namespace {

class EpisodeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    options_.text.max_tokens = 7;
    options_.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 1, .window_size = 2};
    options_.image_height = 24;
    options_.image_width = 32;
  }

  Rollout sample(uint64_t step = 4) const {
    return roll_out(made_.model, made_.tokenizer,
                    {.prompts = {{"a red circle", 8}, {"two blue squares", 9}},
                     .group_size = 3,
                     .options = options_,
                     .seed = 6,
                     .step = step});
  }

  ReplayOptions replay_options() const {
    ReplayOptions replay;
    replay.temperature = options_.text.temperature;
    return replay;
  }

  void expect_replay_agrees(const Rollout& rollout) const {
    at::NoGradGuard no_grad;
    const ReplayOutput output = replay(made_.model, rollout, all_stages(rollout), replay_options());
    std::vector<double> sampled;
    for (size_t c = 0; c < rollout.stages.size(); ++c) {
      const Stage& chain = rollout.stages[c];
      if (chain.text) sampled.insert(sampled.end(), chain.text->logprobs.begin(), chain.text->logprobs.end());
      EXPECT_TRUE(close(output.velocities[c], chain.image->velocities, {.absolute = 1e-5})) << c;
    }
    ASSERT_EQ(output.logprobs.defined(), !sampled.empty());
    if (!sampled.empty()) {
      EXPECT_TRUE(close(output.logprobs, at::tensor(sampled, at::kDouble).to(at::kFloat), {.absolute = 1e-5}));
    }
    EXPECT_GT(output.flops, 0);
  }

  TemporaryFolder folder_;
  const ModelFolder made_ = make_tiny_model(folder_.path());
  EpisodeOptions options_ = {.program = episode_program("think")};
};

TEST_F(EpisodeTest, ChainsAreInPromptOrderWithEverythingARewardNeeds) {
  const Rollout rollout = sample();
  ASSERT_EQ(rollout.stages.size(), 6u);
  EXPECT_EQ(rollout.contexts[1].full[0].tokens, text_ids(made_.tokenizer, "two blue squares"));
  for (size_t i = 0; i < 6; ++i) {
    const Stage& chain = rollout.stages[i];
    EXPECT_EQ(chain.prompt, static_cast<int64_t>(i / 3));
    EXPECT_EQ(chain.sample, static_cast<int64_t>(i % 3));
    EXPECT_EQ(chain.candidate.prompt, i < 3 ? "a red circle" : "two blue squares");
    ASSERT_EQ(chain.candidate.images.size(), 1u);
    EXPECT_EQ(chain.candidate.images[0].height, 24);
    EXPECT_EQ(chain.candidate.images[0].width, 32);
    ASSERT_EQ(chain.candidate.texts.size(), 1u);
    EXPECT_EQ(chain.candidate.texts[0].find("<|im_end|>"), std::string::npos);
  }
}

// So that a group can be made a part at a time.
TEST_F(EpisodeTest, SamplesMayBeginAnywhereInTheirGroup) {
  options_.program = episode_program("rounds:2");
  options_.reflection_prompt = options_.review_prompt = "is it {prompt}?";
  const Rollout whole = sample();
  options_.first_sample = 1;
  const Rollout part = roll_out(made_.model, made_.tokenizer,
                                {.prompts = {{"a red circle", 8}, {"two blue squares", 9}},
                                 .group_size = 2,
                                 .options = options_,
                                 .seed = 6,
                                 .step = 4});
  const auto is_in_part = [](const Stage& stage) { return stage.sample >= 1; };
  std::vector<Stage> expected;
  std::copy_if(whole.stages.begin(), whole.stages.end(), std::back_inserter(expected), is_in_part);
  ASSERT_EQ(part.stages.size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) expect_equal(part.stages[i], expected[i], "stage " + std::to_string(i));
}

TEST_F(EpisodeTest, ResultsDoNotDependOnThePacks) {
  const Rollout whole = sample();
  for (const int64_t size : {1, 2, 4}) {
    options_.chains_per_pack = size;
    expect_equal(sample(), whole);
  }
}

TEST_F(EpisodeTest, ResultsDoNotDependOnTheNumberOfThreads) {
  const int before = at::get_num_threads();
  at::set_num_threads(1);
  const Rollout one = sample();
  at::set_num_threads(2);
  const Rollout two = sample();
  at::set_num_threads(before);
  expect_equal(two, one);
}

TEST_F(EpisodeTest, DrawsBelongToTheOccurrenceNotToThePlace) {
  const Rollout rollout = sample();
  const Rollout alone =
      roll_out(made_.model, made_.tokenizer,
               {.prompts = {{"two blue squares", 9}}, .group_size = 2, .options = options_, .seed = 6, .step = 4});
  for (size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(alone.stages[i].text->tokens, rollout.stages[3 + i].text->tokens);
    EXPECT_TRUE(same_bits(alone.stages[i].image->latent, rollout.stages[3 + i].image->latent));
  }
  EXPECT_FALSE(same_bits(sample(5).stages[0].image->latent, rollout.stages[0].image->latent));
}

TEST_F(EpisodeTest, ReplaySaysWhatTheSamplerSaid) {
  expect_replay_agrees(sample());
  options_.text.temperature = 0.7;
  expect_replay_agrees(sample());
  options_.schedule.window_begin = 0;
  options_.schedule.window_size = 4;
  expect_replay_agrees(sample());
}

TEST_F(EpisodeTest, ReplaySaysTheSameWithoutThinking) {
  options_.program = episode_program("t2i");
  options_.system_prompt = "think";  // only for prompts that think
  const Rollout rollout = sample();
  EXPECT_FALSE(rollout.stages[0].text);
  EXPECT_EQ(rollout.contexts[0].full[0].tokens, text_ids(made_.tokenizer, "a red circle"));
  expect_replay_agrees(rollout);
}

TEST_F(EpisodeTest, ReplaySaysTheSameUnderGuidance) {
  const Rollout plain = sample();
  options_.guidance.text_scale = 3;
  const Rollout guided = sample();
  EXPECT_EQ(guided.stages[0].text->tokens, plain.stages[0].text->tokens);
  EXPECT_FALSE(same_bits(guided.stages[0].image->latent, plain.stages[0].image->latent));
  expect_replay_agrees(guided);
  options_.system_prompt = "think";  // now the dropped context is not empty
  expect_replay_agrees(sample());
}

TEST_F(EpisodeTest, WithoutTheRequestTheSystemPromptIsLeft) {
  options_.system_prompt = "think";
  const Rollout thinking = sample();
  ASSERT_EQ(thinking.contexts[0].text_dropped.size(), 1u);
  EXPECT_EQ(thinking.contexts[0].text_dropped[0].tokens, text_ids(made_.tokenizer, "think"));
  options_.program = episode_program("t2i");
  EXPECT_TRUE(sample().contexts[0].text_dropped.empty());
}

TEST_F(EpisodeTest, PartsOfAReplayEqualTheWhole) {
  at::NoGradGuard no_grad;
  const Rollout rollout = sample();
  const ReplayOutput whole = replay(made_.model, rollout, all_stages(rollout), replay_options());
  ReplayOptions options = replay_options();
  options.with_text = false;
  const ReplayOutput images = replay(made_.model, rollout, {4, 1}, options);
  EXPECT_FALSE(images.logprobs.defined());
  EXPECT_TRUE(same_bits(images.velocities[0], whole.velocities[4]));
  EXPECT_TRUE(same_bits(images.velocities[1], whole.velocities[1]));
  options = replay_options();
  options.with_image = false;
  const ReplayOutput text = replay(made_.model, rollout, all_stages(rollout), options);
  EXPECT_TRUE(text.velocities.empty());
  EXPECT_TRUE(same_bits(text.logprobs, whole.logprobs));
  options = replay_options();
  options.detach_context = true;
  const ReplayOutput detached = replay(made_.model, rollout, all_stages(rollout), options);
  EXPECT_TRUE(same_bits(detached.velocities[2], whole.velocities[2]));
}

TEST_F(EpisodeTest, TheImageMustFitTheModel) {
  for (const int64_t size : {0, 20, 72}) {
    options_.image_width = size;
    expect_error([&] { sample(); }, ExitCode::config, {"image width", "a multiple of 8 up to 64"});
  }
}

}  // namespace
}  // namespace diptych
