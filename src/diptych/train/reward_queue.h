#pragma once
// Rewards that are computed while sampling goes on.

#include <future>
#include <map>
#include <mutex>

#include "diptych/reward/judge.h"
#include "diptych/reward/task.h"
#include "diptych/rollout/trajectory.h"

namespace diptych {

/** Scores stages of a rollout as they are finished. With `overlap`, every submitted range is scored by a thread of its
 *  own, so that a judge works while the model paints; the reward must be safe to call from several threads. */
class RewardQueue {
 public:
  RewardQueue(const RewardFunction& reward, const std::vector<TaskPrompt>& prompts, bool overlap)
      : reward_(reward), prompts_(prompts), overlap_(overlap) {}

  /** Scores the stages [begin, end) against the prompts they belong to. Ranges come in any order, from any thread. */
  void submit(const Rollout& rollout, size_t begin, size_t end);

  /** Scores of everything submitted, in the order of the stages; waits for them. A stage without an image, such as one
   * that said to stop, gets a failed score. Rethrows what a reward threw. When the user asks the run to stop, the judge
   * (if any) is told to give up, and what it had not answered is masked. */
  std::vector<Score> collect(Judge* judge);

 private:
  struct Batch {
    std::vector<Candidate> candidates;  // copies: the rollout grows while they are scored
    std::vector<const TaskPrompt*> prompts;
    std::vector<Score> operator()(const RewardFunction& reward) const;
  };
  const RewardFunction& reward_;
  const std::vector<TaskPrompt>& prompts_;
  bool overlap_;
  std::mutex mutex_;
  std::map<size_t, Batch> batches_;  // by the number of their first stage, like scores_
  std::map<size_t, std::future<std::vector<Score>>> scores_;
};

}  // namespace diptych
