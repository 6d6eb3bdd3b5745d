#include "diptych/tensor/torch.h"

#include "diptych/train/rollout/reward_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <future>

#include "diptych/train/run/stop.h"
#include "support/expect_error.h"
#include "support/pictures.h"

namespace diptych {
namespace {

/** Stages of two prompts, in turns; stage 3 said to stop. The tone of a picture is the number of its stage. */
Rollout painted(size_t count) {
  Rollout rollout;
  rollout.prompts = 2;
  for (size_t i = 0; i < count; ++i) {
    Stage stage;
    stage.prompt = static_cast<int64_t>(i % 2);
    if (i == 3)
      stage.end = StageEnd::stopped;
    else
      stage.candidate.images = {Image{1, 1, std::vector<uint8_t>(3, static_cast<uint8_t>(i))}};
    rollout.stages.push_back(std::move(stage));
  }
  return rollout;
}

std::vector<TaskPrompt> two_prompts() {
  std::vector<TaskPrompt> prompts(2);
  prompts[0].text = "0";
  prompts[1].text = "1";
  return prompts;
}

Score tone(const ScoredPair& pair) {
  Score score;
  score.value = pair.candidate->images.back().pixels[0];
  score.raw_reply = pair.prompt->text;
  return score;
}

void expect_in_order(const std::vector<Score>& scores) {
  for (size_t i = 0; i < scores.size(); ++i) {
    if (i == 3) {
      EXPECT_EQ(scores[i].status, ScoreStatus::failed);
      EXPECT_FALSE(scores[i].value);
      continue;
    }
    EXPECT_EQ(scores[i].status, ScoreStatus::ok);
    EXPECT_EQ(scores[i].value, static_cast<double>(i));
    EXPECT_EQ(scores[i].raw_reply, std::to_string(i % 2));
  }
}

TEST(RewardQueueTest, ScoresComeInTheOrderOfTheStages) {
  const std::vector<TaskPrompt> prompts = two_prompts();
  std::atomic<size_t> asked = 0;
  const RewardFunction reward = [&](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> scores;
    for (const ScoredPair& pair : pairs) scores.push_back(tone(pair));
    asked += pairs.size();
    return scores;
  };
  for (const bool overlap : {false, true}) {
    asked = 0;
    RewardQueue queue(reward, prompts, overlap);
    {
      // Ranges come as they are finished; the rollout grows, and is gone before the scores are there.
      const Rollout small = painted(3), large = painted(7);
      queue.submit(large, 4, 7);
      queue.submit(small, 0, 3);
      queue.submit(large, 3, 4);
    }
    const std::vector<Score> scores = queue.collect();
    ASSERT_EQ(scores.size(), 7u);
    expect_in_order(scores);
    EXPECT_EQ(asked, 6u);  // a stage without a picture is never asked about
    EXPECT_TRUE(queue.collect().empty());
  }
}

TEST(RewardQueueTest, OverlappingRangesAreScoredAtTheSameTime) {
  const std::vector<TaskPrompt> prompts = two_prompts();
  std::promise<void> second_is_scored;
  // The first range waits for the second: one after the other would wait for ever.
  const RewardFunction reward = [&](const std::vector<ScoredPair>& pairs) {
    if (pairs.front().candidate->images.back().pixels[0] == 0)
      second_is_scored.get_future().wait();
    else
      second_is_scored.set_value();
    std::vector<Score> scores;
    for (const ScoredPair& pair : pairs) scores.push_back(tone(pair));
    return scores;
  };
  const Rollout rollout = painted(5);
  RewardQueue queue(reward, prompts, /*overlap=*/true);
  queue.submit(rollout, 0, 2);
  queue.submit(rollout, 2, 5);
  const std::vector<Score> scores = queue.collect();
  ASSERT_EQ(scores.size(), 5u);
  expect_in_order(scores);
}

TEST(RewardQueueTest, WithoutOverlapNothingIsScoredAheadOfTheEnd) {
  const std::vector<TaskPrompt> prompts = two_prompts();
  int calls = 0;
  const RewardFunction reward = [&](const std::vector<ScoredPair>& pairs) {
    ++calls;
    return std::vector<Score>(pairs.size());
  };
  const Rollout rollout = painted(2);
  RewardQueue queue(reward, prompts, /*overlap=*/false);
  queue.submit(rollout, 0, 2);
  EXPECT_EQ(calls, 0);
  queue.collect();
  EXPECT_EQ(calls, 1);
}

/** A reward whose calls return when they are told to give up, as a judge that hangs does. */
class HangingReward {
 public:
  RewardFunction reward() {
    return [this](const std::vector<ScoredPair>& pairs) {
      asked_.set_value();
      told_.get_future().wait();
      return std::vector<Score>(pairs.size());
    };
  }
  GiveUp give_up() {
    return [this] {
      if (!given_up_.exchange(true)) told_.set_value();
    };
  }
  void wait_until_asked() { asked_.get_future().wait(); }
  bool given_up() const { return given_up_; }

 private:
  std::promise<void> asked_, told_;
  std::atomic<bool> given_up_ = false;
};

/** Without the call, the end of the queue would wait for the reward for ever. */
TEST(RewardQueueTest, WhatEndsTheSamplingDoesNotWaitForTheReward) {
  const std::vector<TaskPrompt> prompts = two_prompts();
  HangingReward hanging;
  const RewardFunction reward = hanging.reward();
  const auto sample = [&] {
    RewardQueue queue(reward, prompts, /*overlap=*/true, hanging.give_up());
    queue.submit(painted(2), 0, 2);
    hanging.wait_until_asked();
    throw std::runtime_error("a signal, or a failure");
  };
  EXPECT_THROW(sample(), std::runtime_error);
  EXPECT_TRUE(hanging.given_up());
}

TEST(RewardQueueTest, ASignalEndsTheWaitForScores) {
  const StopSignals signals;
  const std::vector<TaskPrompt> prompts = two_prompts();
  HangingReward hanging;
  const RewardFunction reward = hanging.reward();
  RewardQueue queue(reward, prompts, /*overlap=*/true, hanging.give_up());
  queue.submit(painted(2), 0, 2);
  std::raise(SIGTERM);
  expect_error([&] { queue.collect(); }, ExitCode::interrupted, {});
}

TEST(RewardQueueTest, ASignalEndsAnEvaluationThatWaitsForItsReward) {
  const StopSignals signals;
  HangingReward hanging;
  std::raise(SIGTERM);
  expect_error([&] { score_unless_stopped(hanging.reward(), {}, hanging.give_up()); }, ExitCode::interrupted, {});
}

TEST(RewardQueueTest, WhatARewardThrowsComesOut) {
  const std::vector<TaskPrompt> prompts = two_prompts();
  const RewardFunction reward = [](const std::vector<ScoredPair>&) -> std::vector<Score> {
    throw std::runtime_error("no judge");
  };
  const Rollout rollout = painted(2);
  for (const bool overlap : {false, true}) {
    RewardQueue queue(reward, prompts, overlap);
    queue.submit(rollout, 0, 2);
    EXPECT_THROW(queue.collect(), std::runtime_error);
  }
}

}  // namespace
}  // namespace diptych
