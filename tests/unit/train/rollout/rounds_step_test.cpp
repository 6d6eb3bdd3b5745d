#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include "support/expect_error.h"
#include "unit/train/step_fixture.h"

namespace diptych {
namespace {

double brightness(const Image& image) {
  double sum = 0;
  for (const uint8_t byte : image.pixels) sum += byte;
  return sum / (255.0 * static_cast<double>(image.pixels.size()));
}

std::vector<Score> bright(const std::vector<ScoredPair>& pairs) {
  std::vector<Score> scores(pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) scores[i].value = brightness(pairs[i].candidate->images.back());
  return scores;
}

class RoundsStepTest : public StepFixture {
 protected:
  void SetUp() override {
    StepFixture::SetUp();
    episode_.program = episode_program("rounds:2");
    recipe_.train.group_size = 8;
  }

  /** Stages of each chain in order. */
  static std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> chains(const RewardedRollout& step) {
    std::map<std::pair<int64_t, int64_t>, std::vector<size_t>> all;
    for (size_t i = 0; i < step.rollout.stages.size(); ++i)
      all[{step.rollout.stages[i].prompt, step.rollout.stages[i].sample}].push_back(i);
    return all;
  }
};

TEST_F(RoundsStepTest, EveryStageEarnsWhatItChanges) {
  recipe_.refine.false_stop_cost = 0.7;
  const RewardedRollout step = run(bright);
  EXPECT_EQ(chains(step).size(), 16u);
  int ended = 0, refined = 0;
  for (const auto& [address, stages] : chains(step)) {
    double last = 0;
    for (const size_t i : stages) {
      const Stage& stage = step.rollout.stages[i];
      EXPECT_TRUE(step.valid[i]);
      EXPECT_EQ(step.groups[i], address.first * 3 + stage.round);
      ASSERT_EQ(step.before[i].has_value(), stage.round > 0);
      if (stage.round > 0) {
        EXPECT_EQ(*step.before[i], last);
      }
      if (stage.end != StageEnd::painted) {
        EXPECT_EQ(i, stages.back());
        EXPECT_DOUBLE_EQ(step.rewards[i], -0.7 * (1 - last));  // no picture here is perfect
        ++ended;
        continue;
      }
      const double value = brightness(stage.candidate.images.back());
      EXPECT_EQ(step.scores[i].value, value);
      EXPECT_DOUBLE_EQ(step.rewards[i], value - last);
      last = value;
      refined += stage.round > 0 ? 1 : 0;
    }
  }
  EXPECT_GT(ended, 3);
  EXPECT_GT(refined, 3);
  EXPECT_EQ(step.contributing.size(), step.rollout.stages.size());
  EXPECT_DOUBLE_EQ(step.metrics.at("rounds/refinements"), refined / 16.0);
  EXPECT_EQ(step.metrics.at("rounds/stops") + step.metrics.at("rounds/unreadable"), ended);
  EXPECT_EQ(step.metrics.at("rounds/false_stops"), step.metrics.at("rounds/stops"));
  EXPECT_EQ(step.metrics.at("rounds/stop_precision"), 0);
  EXPECT_FALSE(step.metrics.contains("rounds/stop_recall"));
}

TEST_F(RoundsStepTest, TheFirstStageCanEarnTheLastScore) {
  recipe_.refine.credit = "final";
  const RewardedRollout step = run(bright);
  for (const auto& [address, stages] : chains(step)) {
    double last = 0;
    for (const size_t i : stages)
      if (step.rollout.stages[i].image) last = *step.scores[i].value;
    EXPECT_DOUBLE_EQ(step.rewards[stages.front()], last);
  }
}

TEST_F(RoundsStepTest, StoppingAtAPerfectPictureEarnsTheBonus) {
  const RewardedRollout step = run([](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> scores(pairs.size());
    for (Score& score : scores) score.value = 1;
    return scores;
  });
  int stops = 0;
  for (size_t i = 0; i < step.rollout.stages.size(); ++i) {
    const Stage& stage = step.rollout.stages[i];
    if (stage.end == StageEnd::painted) {
      EXPECT_EQ(step.rewards[i], stage.round == 0 ? 1 : 0);
      continue;
    }
    EXPECT_EQ(step.rewards[i], stage.end == StageEnd::stopped ? 0.5 : 0);
    stops += stage.end == StageEnd::stopped ? 1 : 0;
  }
  EXPECT_GT(stops, 0);
  EXPECT_EQ(step.metrics.at("rounds/stop_precision"), 1);
  EXPECT_GT(step.metrics.at("rounds/stop_recall"), 0);
  EXPECT_LE(step.metrics.at("rounds/stop_recall"), 1);
  EXPECT_EQ(step.metrics.at("rounds/last_score"), 1);
}

TEST_F(RoundsStepTest, AMissingScoreMasksTheStagesThatNeedIt) {
  // The first picture of chain (0, 0) is not scored.
  const auto reward = [calls = 0](const std::vector<ScoredPair>& pairs) mutable {
    std::vector<Score> scores = bright(pairs);
    if (calls++ == 0) {
      scores[0].value.reset();
      scores[0].status = ScoreStatus::masked;
    }
    return scores;
  };
  const RewardedRollout step = run(reward);
  const std::vector<size_t> stages = chains(step).at({0, 0});
  EXPECT_FALSE(step.valid[stages[0]]);
  ASSERT_GT(stages.size(), 1u);
  EXPECT_FALSE(step.valid[stages[1]]);  // both a refinement and a stop are measured against it
  for (const size_t i : step.contributing) EXPECT_TRUE(step.valid[i]);
  EXPECT_EQ(std::count(step.valid.begin(), step.valid.end(), false), 2);
}

TEST_F(RoundsStepTest, OnlyPicturesCanMissAScore) {
  recipe_.reward.max_missing = 0;  // stops have no score, and that is no fault
  EXPECT_NO_THROW(run(bright));
  const auto none = [](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> scores(pairs.size());
    for (Score& score : scores) score.status = ScoreStatus::masked;
    return scores;
  };
  expect_error([&] { run(none); }, ExitCode::reward, {"rewards", "missing"});
}

}  // namespace
}  // namespace diptych
