#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <set>

#include "diptych/algorithm/refinement.h"
#include "diptych/rollout/stage_context.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/train/loops/rl_metrics.h"
#include "diptych/train/update/policy_update.h"
#include "support/expect_error.h"
#include "unit/train/step_fixture.h"

namespace diptych {
namespace {

class RefinementStepTest : public StepFixture {
 protected:
  void SetUp() override {
    StepFixture::SetUp();
    episode_.program = episode_program("reflect");
    recipe_.refine.initial_images = 3;
    recipe_.refine.draws = 3;
  }

  /** The picture that the refinements of a prompt look at. */
  static Tensor seen(const RewardedRollout& step, size_t prompt) {
    return step.rollout.contexts[prompt].full[1].content;
  }
  static Tensor patches(const Candidate& candidate) {
    return patchify_rgb(image_to_tensor(candidate.images.back()), 4);
  }

  const Scores initial_ = {0.5, 0.2, 0.9, 0.7, 0.8, 0.4};
  const Scores refined_ = {0.1, 0.3, 0.6, 0.4, 0.0, 0.5};
};

TEST_F(RefinementStepTest, TheWorstPictureIsRefined) {
  const RewardedRollout step = run({initial_, refined_});
  ASSERT_EQ(step.rollout.stages.size(), 6u);
  EXPECT_EQ(draws_, std::vector<uint64_t>{15});  // of 3 draws a step
  for (size_t i = 0; i < 6; ++i) {
    EXPECT_EQ(step.before[i], i < 3 ? 0.2 : 0.4);
    EXPECT_EQ(step.rollout.stages[i].round, 1);
    EXPECT_EQ(step.rollout.stages[i].candidate.prompt, i < 3 ? "15.0" : "15.1");
    EXPECT_TRUE(step.rollout.stages[i].text);
    EXPECT_EQ(step.rollout.stages[i].image->states.size(0), 2);
    EXPECT_EQ(step.scores[i].value, refined_[i]);
  }
  EXPECT_TRUE(same_bits(seen(step, 0), patches(scored_[0][1])));
  EXPECT_TRUE(same_bits(seen(step, 1), patches(scored_[0][5])));
  EXPECT_TRUE(scored_[0][0].texts.empty());  // initial pictures are plain text-to-image
  EXPECT_GE(row_.at("time/rollout"), 0);
  EXPECT_GE(row_.at("time/reward"), 0);
}

TEST_F(RefinementStepTest, OrTheFirstThatHasAScore) {
  recipe_.refine.selection = "first";
  Scores initial = initial_;
  initial[0] = std::nullopt;
  const RewardedRollout step = run({initial, refined_});
  EXPECT_EQ(step.before[0], 0.2);
  EXPECT_EQ(step.before[3], 0.7);
  EXPECT_TRUE(same_bits(seen(step, 1), patches(scored_[0][3])));
}

TEST_F(RefinementStepTest, InitialPicturesMayThink) {
  recipe_.refine.initial_episode = "think";
  run({initial_, refined_});
  for (const Candidate& candidate : scored_[0]) EXPECT_EQ(candidate.texts.size(), 1u);
}

TEST_F(RefinementStepTest, RewardsAreRectified) {
  const std::map<std::string, std::vector<double>> expected = {
      {"off", {0.1, 0.3, 0.6, 0.4, 0.0, 0.5}},
      {"code", {0.2, 0.3, 0.6, 0.4, 0.4, 0.5}},   // raised to the initial score
      {"paper", {0.1, 0.3, 0.6, 0.0, 0.0, 0.5}},  // lowered to the least of the group
  };
  for (const auto& [rule, rewards] : expected) {
    recipe_.refine.rectification = rule;
    const RewardedRollout step = run({initial_, refined_});
    EXPECT_EQ(step.rewards, rewards) << rule;
    EXPECT_EQ(step.contributing.size(), 6u);
    for (size_t group : {0, 3})
      EXPECT_NEAR(step.advantages.values[group] + step.advantages.values[group + 1] + step.advantages.values[group + 2],
                  0, 1e-12);
  }
}

TEST_F(RefinementStepTest, MetricsAreOfTheScoresAheadOfRectification) {
  const RewardedRollout step = run({initial_, refined_});
  const std::map<std::string, double> expected = {{"refine/initial_score", 3.5 / 6},
                                                  {"refine/chosen_score", 0.3},
                                                  {"refine/improved", 0.5},
                                                  {"refine/worsened", 2.0 / 6},
                                                  {"refine/draws", 1}};
  ASSERT_EQ(step.metrics.size(), expected.size());
  for (const auto& [name, value] : expected) EXPECT_NEAR(step.metrics.at(name), value, 1e-12) << name;
}

TEST_F(RefinementStepTest, PromptsAreDrawnAnewUntilSomethingImproves) {
  const Scores worse(6, 0.1), equal = {0.2, 0.2, 0.2, 0.4, 0.4, 0.4};
  const RewardedRollout step = run({initial_, worse, initial_, equal, initial_, refined_});
  EXPECT_EQ(draws_, (std::vector<uint64_t>{15, 16, 17}));
  EXPECT_EQ(step.metrics.at("refine/draws"), 3);
  EXPECT_EQ(step.prompts[1].text, "17.1");
  EXPECT_EQ(step.contributing.size(), 6u);
  std::set<std::vector<uint8_t>> pictures;
  for (const std::vector<Candidate>& call : scored_)
    for (const Candidate& candidate : call) pictures.insert(candidate.images.back().pixels);
  EXPECT_EQ(pictures.size(), 36u);  // every draw has noise of its own

  const RewardedRollout nothing = run({initial_, worse, initial_, equal, initial_, worse});
  EXPECT_EQ(draws_.size(), 3u);
  EXPECT_EQ(nothing.rollout.stages.size(), 6u);  // kept for the record
  EXPECT_TRUE(nothing.contributing.empty());
}

TEST_F(RefinementStepTest, APromptWithoutAScoreLeavesTheStep) {
  const RewardedRollout step = run({{std::nullopt, std::nullopt, std::nullopt, 0.7, 0.8, 0.4}, {0.4, 0.0, 0.5}});
  ASSERT_EQ(step.rollout.stages.size(), 3u);
  EXPECT_EQ(step.prompts.size(), 1u);
  EXPECT_EQ(step.prompts[0].text, "15.1");
  EXPECT_EQ(step.before[0], 0.4);
  EXPECT_EQ(step.contributing.size(), 3u);
  // Its draws are those of its place, with the other prompt or without.
  const RewardedRollout both = run({initial_, refined_});
  EXPECT_TRUE(same_bits(step.rollout.stages[0].image->latent, both.rollout.stages[3].image->latent));
  const Scores none(6);
  expect_error([&] { run({none}); }, ExitCode::reward, {"rewards", "at most 0.5 of them missing"});
}

TEST_F(RefinementStepTest, WithoutAnyScoreThereIsNothingToTell) {
  recipe_.reward.max_missing = 1;
  const Scores none(6);
  const RewardedRollout step = run({none, none, none});
  EXPECT_TRUE(step.rollout.stages.empty());
  EXPECT_TRUE(step.contributing.empty());
  EXPECT_EQ(step.metrics, (std::map<std::string, double>{{"refine/draws", 3}}));
  MetricRow row;
  add_reward_metrics(step, row);
  EXPECT_EQ(row.at("reward/masked"), 1);
  for (const auto& [name, value] : row) EXPECT_TRUE(std::isfinite(value)) << name;
  const RewardedRollout unscored = run({initial_, none, initial_, none, initial_, none});
  EXPECT_FALSE(unscored.metrics.contains("refine/improved"));
  EXPECT_TRUE(unscored.metrics.contains("refine/chosen_score"));
}

TEST_F(RefinementStepTest, AMaskedRefinementIsNoFailure) {
  Scores refined = refined_;
  refined[1] = std::nullopt;
  const RewardedRollout step = run({initial_, refined});
  EXPECT_EQ(step.valid, (std::vector<bool>{true, false, true, true, true, true}));
  EXPECT_EQ(step.advantages.values[1], 0);
  EXPECT_EQ(step.contributing, (std::vector<size_t>{0, 2, 3, 4, 5}));
}

TEST_F(RefinementStepTest, InitialPicturesCanTrainToo) {
  recipe_.refine.mix_t2i = true;
  const RewardedRollout step = run({initial_, refined_});
  ASSERT_EQ(step.rollout.stages.size(), 12u);
  EXPECT_EQ(step.rollout.prompts, 4);
  EXPECT_EQ(step.groups, (std::vector<int64_t>{0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3}));
  for (size_t i = 6; i < 12; ++i) {
    const Stage& stage = step.rollout.stages[i];
    EXPECT_EQ(stage.round, 0);
    EXPECT_EQ(step.prompts[static_cast<size_t>(stage.prompt)].text, i < 9 ? "15.0" : "15.1");
    EXPECT_EQ(step.rewards[i], *initial_[i - 6]);  // their own scores, not rectified
    EXPECT_EQ(stage.candidate.images.back().pixels, scored_[0][i - 6].images.back().pixels);
    EXPECT_EQ(stage.image->states.size(0), 2);  // with a window of their own
    EXPECT_EQ(step.rollout.contexts[static_cast<size_t>(stage.context)].full.size(), 1u);
  }
  EXPECT_EQ(step.contributing.size(), 12u);
}

/** Stages of both kinds go through the gates and one update, also in packs that hold nothing to train. */
TEST_F(RefinementStepTest, AMixedStepTrains) {
  recipe_.refine.mix_t2i = true;
  for (const bool text_only : {false, true}) {
    recipe_.train.image_weight = text_only ? 0 : 1;
    recipe_.train.velocity_mse_weight = 0;
    recipe_.train.image_clip_low = recipe_.train.image_clip_high = 1e-3;
    recipe_.train.mini_batches = 1;
    recipe_.train.chains_per_pack = 3;
    const RewardedRollout step = run({initial_, refined_});
    ModelFolder fresh = load_model_folder(folder_.path());
    TrainedPolicy policy(fresh.model, {.und_learning_rate = 1e-3, .gen_learning_rate = 1e-3});
    const UpdateOptions options = update_options(recipe_, episode_, 256);
    const UpdateInput input{step.rollout, step.contributing, step.advantages.values, {}};
    const UpdateReport report = PolicyUpdate(fresh.model, policy, options, input).run([] { return 1.0; });
    EXPECT_EQ(report.applied, 1);
    EXPECT_GT(report.groups[0].grad_norm, 0);
    EXPECT_EQ(report.losses.at("image").ratios.count, text_only ? 0 : 24);
    int64_t actions = 0;
    for (const Stage& stage : step.rollout.stages)
      if (stage.text) actions += static_cast<int64_t>(stage.text->tokens.size());
    EXPECT_EQ(report.losses.at("text").ratios.count, actions);
    EXPECT_LT(report.gate.text_max, 1e-4);
  }
}

}  // namespace
}  // namespace diptych
