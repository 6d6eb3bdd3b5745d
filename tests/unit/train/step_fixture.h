#pragma once
// A rollout step on the tiny model with prompts and scores that a test writes down.

#include "diptych/tensor/torch.h"

#include <ATen/Parallel.h>
#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/train/rollout/step_kinds.h"
#include "support/compare.h"
#include "support/scripted_model.h"
#include "support/temporary_folder.h"

namespace diptych {

class StepFixture : public ::testing::Test {
 protected:
  void SetUp() override {
    at::set_num_threads(1);  // one pack, so one call of the reward, a round
    recipe_.run.seed = 6;
    recipe_.train.group_size = 3;
    episode_.text.max_tokens = 8;
    episode_.schedule = {.grid = timestep_grid(5, 2), .noise_level = 0.8, .window_begin = 0, .window_size = 2};
    episode_.image_height = episode_.image_width = 32;
    episode_.reflection_prompt = "{prompt} failed";
    episode_.review_prompt = "is it {prompt} ?";
  }

  void TearDown() override { at::set_num_threads(threads_); }

  /** One call of the reward: the scores of its pairs; a missing one is masked. */
  using Scores = std::vector<std::optional<double>>;

  /** Runs the step with one list of scores a call, and keeps what was scored and which draws of prompts were asked for.
   *  Draw d holds the prompts "d.0" and "d.1". */
  RewardedRollout run(const std::vector<Scores>& scores) {
    scored_.clear();
    draws_.clear();
    const PromptStream prompts = [this](uint64_t draw) {
      draws_.push_back(draw);
      std::vector<TaskPrompt> both(2);
      for (size_t p = 0; p < 2; ++p) both[p].text = std::to_string(draw) + "." + std::to_string(p);
      return both;
    };
    const RewardFunction reward = [&](const std::vector<ScoredPair>& pairs) {
      const Scores& own = scores.at(scored_.size());
      scored_.emplace_back();
      std::vector<Score> answers(pairs.size());
      for (size_t i = 0; i < pairs.size(); ++i) {
        EXPECT_EQ(pairs[i].candidate->prompt, pairs[i].prompt->text);
        scored_.back().push_back(*pairs[i].candidate);
        answers[i].value = own.at(i);
        if (!own.at(i)) answers[i].status = ScoreStatus::masked;
      }
      return answers;
    };
    return rollout_step({recipe_, made_, episode_, prompts, reward, ranks_, /*judge=*/nullptr, /*step=*/5}, row_);
  }

  RewardedRollout run(const RewardFunction& reward) {
    const PromptStream prompts = [](uint64_t draw) {
      std::vector<TaskPrompt> both(2);
      for (size_t p = 0; p < 2; ++p) both[p].text = std::to_string(draw) + "." + std::to_string(p);
      return both;
    };
    return rollout_step({recipe_, made_, episode_, prompts, reward, ranks_, /*judge=*/nullptr, /*step=*/5}, row_);
  }

  const int threads_ = at::get_num_threads();
  TemporaryFolder folder_;
  const ModelFolder made_ = make_scripted_model(folder_.path());
  RlRecipe recipe_;
  EpisodeOptions episode_ = {.program = episode_program("think")};
  ProcessGroup ranks_;
  MetricRow row_;
  std::vector<std::vector<Candidate>> scored_;  // of each call
  std::vector<uint64_t> draws_;
};

}  // namespace diptych
