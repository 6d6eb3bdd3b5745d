// Episodes whose stages look at images: sampling, and the training pass over what was sampled.
#include "diptych/tensor/torch.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include <mutex>

#include <functional>
#include <set>

#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/episode.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/rollout/replay.h"
#include "diptych/tensor/image_tensor.h"
#include "support/expect_error.h"
#include "support/pictures.h"
#include "support/scripted_model.h"
#include "support/temporary_folder.h"
#include "unit/rollout/same_rollout.h"

namespace diptych {
namespace {

EpisodeOptions stage_options(const std::string& program) {
  EpisodeOptions options;
  options.program = episode_program(program);
  options.system_prompt = "think";
  options.reflection_prompt = "{prompt} failed";
  options.review_prompt = "is it {prompt} ?";
  options.text.max_tokens = 8;
  options.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 1, .window_size = 2};
  options.image_height = 24;
  options.image_width = 32;
  return options;
}

class StageTest : public ::testing::Test {
 protected:
  virtual const ModelFolder& made() { return plain_; }

  /** The second prompt has a picture of another size, and one more. */
  std::vector<EpisodePrompt> prompts() const {
    return {{"a red circle", 8, {picture(32, 32, 10)}}, {"two squares", 9, {picture(16, 24, 60), picture(32, 32, 90)}}};
  }
  Rollout sample(const EpisodeOptions& options, const StagesDone& done = {}) {
    return roll_out(made().model, made().tokenizer,
                    {.prompts = prompts(), .group_size = 3, .options = options, .seed = 6, .step = 4, .done = done});
  }

  void expect_layout_changes_nothing(const EpisodeOptions& options) {
    const Rollout whole = sample(options);
    for (const int64_t size : {1, 2, 4}) {
      EpisodeOptions smaller = options;
      smaller.chains_per_pack = size;
      expect_equal(sample(smaller), whole);
    }
    const int before = at::get_num_threads();
    for (const int threads : {1, 2}) {
      at::set_num_threads(threads);
      expect_equal(sample(options), whole);
    }
    at::set_num_threads(before);
  }

  void expect_replay_agrees(const Rollout& rollout) {
    at::NoGradGuard no_grad;
    const ReplayOutput output = replay(made().model, rollout, all_stages(rollout), {});
    std::vector<double> sampled;
    for (size_t c = 0; c < rollout.stages.size(); ++c) {
      const Stage& stage = rollout.stages[c];
      if (stage.text) sampled.insert(sampled.end(), stage.text->logprobs.begin(), stage.text->logprobs.end());
      if (!stage.image) {
        EXPECT_TRUE(output.velocities.empty() || !output.velocities[c].defined());
        continue;
      }
      EXPECT_TRUE(close(output.velocities[c], stage.image->velocities, {.absolute = 2e-5})) << c;
    }
    ASSERT_EQ(output.logprobs.defined(), !sampled.empty());
    if (!sampled.empty()) {
      EXPECT_TRUE(close(output.logprobs, at::tensor(sampled, at::kDouble).to(at::kFloat), {.absolute = 2e-5}));
    }
  }

  TemporaryFolder folder_;
  const ModelFolder plain_ = make_tiny_model(folder_.path());
};

/** Episodes of one stage that are given images. */
class ImageStageTest : public StageTest, public ::testing::WithParamInterface<const char*> {};

INSTANTIATE_TEST_SUITE_P(Programs, ImageStageTest, ::testing::Values("edit", "edit_think", "understand", "reflect"));

TEST_P(ImageStageTest, ResultsDependOnNeitherPacksNorThreads) {
  expect_layout_changes_nothing(stage_options(GetParam()));
}

TEST_P(ImageStageTest, AGroupSharesItsContext) {
  const EpisodeOptions options = stage_options(GetParam());
  const Rollout rollout = sample(options);
  ASSERT_EQ(rollout.stages.size(), 6u);
  ASSERT_EQ(rollout.contexts.size(), 2u);
  const StageProgram& program = options.program.stages.front();
  std::set<std::vector<int64_t>> texts;
  for (size_t i = 0; i < 6; ++i) {
    const Stage& stage = rollout.stages[i];
    EXPECT_EQ(stage.context, static_cast<int64_t>(i / 3));
    EXPECT_EQ(stage.text.has_value(), program.write);
    EXPECT_EQ(stage.image.has_value(), program.paint);
    EXPECT_EQ(stage.end, program.paint ? StageEnd::painted : StageEnd::answered);
    EXPECT_EQ(stage.candidate.images.size(), program.paint ? 1u : 0u);
    if (stage.text) texts.insert(stage.text->tokens);
  }
  if (program.write) {
    EXPECT_GT(texts.size(), 4u);
  }
  const auto images = [](const std::vector<Segment>& chain) {
    return std::count_if(chain.begin(), chain.end(), [](const auto& s) { return s.kind == SegmentKind::vit_image; });
  };
  const StageContext& second = rollout.contexts[1];
  EXPECT_EQ(images(second.full), 2);
  EXPECT_EQ(images(second.text_dropped), 2);
  EXPECT_EQ(images(second.image_dropped), 0);
  EXPECT_EQ(second.full.back().kind, SegmentKind::text);
  EXPECT_NE(second.text_dropped.back().kind, SegmentKind::text);
}

TEST_P(ImageStageTest, ReplaySaysWhatTheSamplerSaid) {
  EpisodeOptions options = stage_options(GetParam());
  expect_replay_agrees(sample(options));
  if (!options.program.stages.front().paint) return;
  options.edit_guidance.text_scale = 3;
  const Rollout text_guided = sample(options);
  expect_replay_agrees(text_guided);
  options.edit_guidance.image_scale = 2;
  for (const RenormType renorm : {RenormType::global, RenormType::channel, RenormType::text_channel}) {
    options.edit_guidance.renorm = renorm;
    const Rollout guided = sample(options);
    EXPECT_FALSE(same_bits(guided.stages[0].image->latent, text_guided.stages[0].image->latent));
    expect_replay_agrees(guided);
  }
  // Steps of the window on both sides of the interval: t = 0.86, 0.67 | 0.4.
  options.schedule.window_size = 3;
  options.edit_guidance.interval_low = 0.5;
  const Rollout partly = sample(options);
  EXPECT_FALSE(uses_image_guidance(options.edit_guidance, partly.schedule.grid[3]));
  EXPECT_TRUE(uses_image_guidance(options.edit_guidance, partly.schedule.grid[2]));
  expect_replay_agrees(partly);
  // The guidance of pictures without an image in front of them does not matter here.
  options.guidance.text_scale = 7;
  expect_equal(sample(options), partly);
}

TEST_P(ImageStageTest, ThereMustBeAnImage) {
  const EpisodeOptions options = stage_options(GetParam());
  expect_error(
      [&] {
        roll_out(made().model, made().tokenizer,
                 {.prompts = {{"a red circle", 8}}, .options = options, .seed = 6, .step = 4});
      },
      ExitCode::data, {"episode '" + options.program.name + "'", "an image"});
}

TEST_F(StageTest, GuidedResultsDependOnNeitherPacksNorThreads) {
  EpisodeOptions options = stage_options("edit_think");
  options.edit_guidance = {.text_scale = 3, .image_scale = 2, .interval_low = 0.5};
  expect_layout_changes_nothing(options);
}

TEST_F(StageTest, TheRequestStandsInThePromptsOfRefinement) {
  const auto words = [&](const char* program) { return sample(stage_options(program)).contexts[0].full.back().tokens; };
  EXPECT_EQ(words("reflect"), text_ids(plain_.tokenizer, "a red circle failed"));
  EXPECT_EQ(words("review"), text_ids(plain_.tokenizer, "is it a red circle ?"));
  EXPECT_EQ(words("edit"), text_ids(plain_.tokenizer, "a red circle"));
}

TEST_F(StageTest, ImageGradientsReachTheContextUnlessDetached) {
  Bagel model = plain_.model;
  EpisodeOptions options = stage_options("edit_think");
  options.edit_guidance = {.text_scale = 3, .image_scale = 2};
  const Rollout rollout = sample(options);
  std::vector<NamedTensor> towers;
  for (const ParameterSlot& slot : transformer_slots(model)) {
    if (!slot.name.starts_with("vit_model") || slot.name.ends_with("pos_embed.pos_embed")) continue;
    slot.tensor->requires_grad_(true);
    towers.push_back({slot.name, *slot.tensor});
  }
  ASSERT_GT(towers.size(), 10u);
  for (const bool detach : {false, true}) {
    ReplayOptions how;
    how.detach_context = detach;
    how.with_text = false;
    const ReplayOutput output = replay(model, rollout, {0, 4}, how);
    const Tensor sum = output.velocities[0].square().sum() + output.velocities[1].square().sum();
    double largest = 0;
    if (sum.requires_grad()) {
      sum.backward();
      for (const NamedTensor& weight : towers)
        if (weight.tensor.grad().defined())
          largest = std::max(largest, weight.tensor.grad().abs().max().item<double>());
    }
    for (const NamedTensor& weight : towers) weight.tensor.mutable_grad() = Tensor();
    EXPECT_EQ(largest > 0, !detach);
  }
  for (const NamedTensor& weight : towers) Tensor(weight.tensor).requires_grad_(false);
}

/** Episodes that may stop, with a model whose texts can be read. */
class ReviewTest : public StageTest {
 protected:
  const ModelFolder& made() override { return scripted_; }

  std::map<StageEnd, int> ends(const Rollout& rollout) const {
    std::map<StageEnd, int> counts;
    for (const Stage& stage : rollout.stages) ++counts[stage.end];
    return counts;
  }

  const ModelFolder scripted_ = make_scripted_model(folder_.path() / "scripted");
};

TEST_F(ReviewTest, AReviewPaintsStopsOrCannotBeRead) {
  const Rollout rollout =
      roll_out(scripted_.model, scripted_.tokenizer,
               {.prompts = prompts(), .group_size = 12, .options = stage_options("review"), .seed = 6, .step = 4});
  for (const Stage& stage : rollout.stages) {
    EXPECT_EQ(stage.end, end_of_review(stage.candidate.texts.at(0), "done"));
    EXPECT_EQ(stage.image.has_value(), stage.end == StageEnd::painted);
    EXPECT_EQ(stage.candidate.images.size(), stage.end == StageEnd::painted ? 1u : 0u);
  }
  EXPECT_GT(ends(rollout)[StageEnd::painted], 2);
  EXPECT_GT(ends(rollout)[StageEnd::stopped], 2);
  EXPECT_GT(ends(rollout)[StageEnd::unreadable], 0);
  expect_replay_agrees(rollout);
}

TEST_F(ReviewTest, ReviewsDependOnNeitherPacksNorThreads) {
  expect_layout_changes_nothing(stage_options("review"));
}

TEST_F(ReviewTest, RoundsDependOnNeitherPacksNorThreads) {
  expect_layout_changes_nothing(stage_options("rounds:2"));
}

TEST_F(ReviewTest, EveryRoundLooksAtTheLastPicture) {
  const EpisodeOptions options = stage_options("rounds:2");
  const Rollout rollout = roll_out(scripted_.model, scripted_.tokenizer,
                                   {.prompts = prompts(), .group_size = 6, .options = options, .seed = 6, .step = 4});
  std::map<std::tuple<int64_t, int64_t, int64_t>, const Stage*> stages;
  for (const Stage& stage : rollout.stages) {
    EXPECT_TRUE(stages.emplace(std::tuple(stage.prompt, stage.sample, stage.round), &stage).second);
    EXPECT_EQ(stage.candidate.prompt, prompts()[static_cast<size_t>(stage.prompt)].text);
  }
  int64_t followed = 0;
  for (const auto& [address, stage] : stages) {
    const auto [prompt, sample, round] = address;
    if (round == 0) {
      EXPECT_EQ(stage->end, StageEnd::painted);
      EXPECT_EQ(stage->context, prompt);
      continue;
    }
    const Stage& before = *stages.at({prompt, sample, round - 1});
    ASSERT_EQ(before.end, StageEnd::painted);  // nothing follows a stop or an unreadable review
    const std::vector<Segment>& chain = rollout.contexts[static_cast<size_t>(stage->context)].full;
    ASSERT_EQ(chain.size(), 4u);  // system prompt, latent, ViT, review prompt
    EXPECT_TRUE(same_bits(chain[2].content, patchify_rgb(image_to_tensor(before.candidate.images[0]), 4)));
    EXPECT_EQ(chain[3].tokens, text_ids(scripted_.tokenizer, "is it " + stage->candidate.prompt + " ?"));
    ++followed;
  }
  EXPECT_GT(followed, 12);
  EXPECT_EQ(ends(rollout)[StageEnd::painted] + ends(rollout)[StageEnd::stopped] + ends(rollout)[StageEnd::unreadable],
            static_cast<int>(rollout.stages.size()));
  expect_replay_agrees(rollout);
}

TEST_F(ReviewTest, RoundsHaveDrawsOfTheirOwn) {
  EpisodeOptions options = stage_options("edit");
  const Rollout first = sample(options);
  options.first_round = 1;
  const Rollout second = sample(options);
  for (size_t i = 0; i < first.stages.size(); ++i) {
    EXPECT_EQ(second.stages[i].round, 1);
    EXPECT_FALSE(same_bits(second.stages[i].image->latent, first.stages[i].image->latent)) << i;
  }
  EXPECT_FALSE(same_bits(second.contexts[0].full[0].content, first.contexts[0].full[0].content));  // posterior noise
  EXPECT_TRUE(same_bits(second.contexts[0].full[1].content, first.contexts[0].full[1].content));   // the picture
}

TEST_F(ReviewTest, FinishedStagesAreReportedOnce) {
  EpisodeOptions options = stage_options("rounds:2");
  options.chains_per_pack = 4;
  std::mutex mutex;
  std::map<size_t, size_t> ranges;
  const Rollout rollout = sample(options, [&](const Rollout& so_far, size_t begin, size_t end) {
    const std::lock_guard lock(mutex);
    EXPECT_TRUE(ranges.emplace(begin, end).second);
    EXPECT_LE(end - begin, 4u);
    ASSERT_LE(end, so_far.stages.size());
    for (size_t i = begin; i < end; ++i)
      EXPECT_EQ(so_far.stages[i].candidate.images.size(), so_far.stages[i].end == StageEnd::painted ? 1u : 0u);
  });
  size_t next = 0;
  for (const auto& [begin, end] : ranges) {
    EXPECT_EQ(begin, next);
    next = end;
  }
  EXPECT_EQ(next, rollout.stages.size());
}

TEST(EndOfReviewTest, OnlyAPlainAnswerStops) {
  EXPECT_EQ(end_of_review("<think> all is there . </think> done", "done"), StageEnd::stopped);
  EXPECT_EQ(end_of_review(" <think></think>done ", "done"), StageEnd::stopped);
  EXPECT_EQ(end_of_review("<think> one is missing . </think> add a red circle", "done"), StageEnd::painted);
  EXPECT_EQ(end_of_review("<think> fine . </think> done , done", "done"), StageEnd::painted);
  for (const char* text : {"done", "", "<think> all is there . done", "<think> x </think>", "x </think> done",
                           "<think> <think> x </think> done"})
    EXPECT_EQ(end_of_review(text, "done"), StageEnd::unreadable) << text;
}

}  // namespace
}  // namespace diptych
