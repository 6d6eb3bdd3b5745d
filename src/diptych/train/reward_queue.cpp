#include "diptych/train/reward_queue.h"

#include <chrono>

#include "diptych/train/stop.h"

namespace diptych {

namespace {

constexpr std::chrono::milliseconds kStopPoll{100};

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
    batch.candidates.push_back(rollout.chains[i].candidate);
    batch.prompts.push_back(&prompts_[static_cast<size_t>(rollout.chains[i].prompt)]);
  }
  const std::lock_guard lock(mutex_);
  const Batch& stored = batches_[begin] = std::move(batch);
  scores_[begin] =
      std::async(overlap_ ? std::launch::async : std::launch::deferred, [this, &stored] { return stored(reward_); });
}

std::vector<Score> RewardQueue::collect(Judge* judge) {
  std::vector<Score> all;
  for (auto& [begin, part] : scores_) {
    while (part.wait_for(kStopPoll) == std::future_status::timeout)
      if (judge != nullptr && stop_requested()) judge->stop();
    for (Score& score : part.get()) all.push_back(std::move(score));
  }
  scores_.clear();
  batches_.clear();
  return all;
}

}  // namespace diptych
