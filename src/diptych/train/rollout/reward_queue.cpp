#include "diptych/train/rollout/reward_queue.h"

#include <chrono>

#include "diptych/train/run/stop.h"

namespace diptych {

namespace {

constexpr std::chrono::milliseconds kStopPoll{100};

void wait_for(const std::future<std::vector<Score>>& scores, const GiveUp& give_up) {
  while (scores.wait_for(kStopPoll) == std::future_status::timeout)
    if (give_up && stop_requested()) give_up();
}

}  // namespace

std::vector<Score> RewardQueue::Batch::operator()(const RewardFunction& reward) const {
  std::vector<ScoredPair> pairs;
  std::vector<size_t> places;
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (candidates[i].images.empty()) continue;
    pairs.push_back({prompts[i], &candidates[i]});
    places.push_back(i);
  }
  std::vector<Score> scores(candidates.size());
  for (Score& score : scores) score.status = ScoreStatus::failed;
  if (pairs.empty()) return scores;
  std::vector<Score> scored = reward(pairs);
  for (size_t k = 0; k < places.size(); ++k) scores[places[k]] = std::move(scored[k]);
  return scores;
}

void RewardQueue::submit(const Rollout& rollout, size_t begin, size_t end) {
  Batch batch;
  for (size_t i = begin; i < end; ++i) {
    batch.candidates.push_back(rollout.stages[i].candidate);
    batch.prompts.push_back(&prompts_[static_cast<size_t>(rollout.stages[i].prompt)]);
  }
  const std::lock_guard lock(mutex_);
  const Batch& stored = batches_[begin] = std::move(batch);
  scores_[begin] =
      std::async(overlap_ ? std::launch::async : std::launch::deferred, [this, &stored] { return stored(reward_); });
}

std::vector<Score> RewardQueue::collect() {
  std::vector<Score> all;
  for (auto& [begin, part] : scores_) {
    wait_for(part, give_up_);
    for (Score& score : part.get()) all.push_back(std::move(score));
  }
  scores_.clear();
  batches_.clear();
  stop_if_requested();  // scores that the reward gave up on are none
  return all;
}

RewardQueue::~RewardQueue() {
  // The futures' destructors wait for their threads. Without overlap none has been started.
  if (overlap_ && !scores_.empty() && give_up_) give_up_();
}

std::vector<Score> score_unless_stopped(const RewardFunction& reward, const std::vector<ScoredPair>& pairs,
                                        const GiveUp& give_up) {
  if (!give_up) return reward(pairs);
  std::future<std::vector<Score>> scores = std::async(std::launch::async, [&] { return reward(pairs); });
  wait_for(scores, give_up);
  stop_if_requested();
  return scores.get();
}

}  // namespace diptych
