#pragma once
// Rewards that are computed while sampling goes on.

#include <future>
#include <map>
#include <mutex>

#include "diptych/reward/task.h"
#include "diptych/rollout/stage.h"

namespace diptych {

/** Lets calls of a reward that others compute return soon, for a run that is to end: of a judge, Judge::stop(). Empty
 * for a reward that needs no such call. */
using GiveUp = std::function<void()>;

/** Asks the reward. When the user asks the run to stop, the reward is told to give up, and Error(interrupted) thrown.
 */
std::vector<Score> score_unless_stopped(const RewardFunction& reward, const std::vector<ScoredPair>& pairs,
                                        const GiveUp& give_up);

/** Scores stages of a rollout as they are finished. With `overlap`, every submitted range is scored by a thread of its
 *  own, so that a judge works while the model paints; the reward must be safe to call from several threads. */
class RewardQueue {
 public:
  RewardQueue(const RewardFunction& reward, const std::vector<TaskPrompt>& prompts, bool overlap, GiveUp give_up = {})
      : reward_(reward), prompts_(prompts), overlap_(overlap), give_up_(std::move(give_up)) {}
  /** Where scores are still under way, an exception or a signal has ended the sampling: the reward is told to give up.
   */
  ~RewardQueue();
  RewardQueue(const RewardQueue&) = delete;
  RewardQueue& operator=(const RewardQueue&) = delete;

  /** Scores the stages [begin, end) against the prompts they belong to. Ranges come in any order, from any thread. */
  void submit(const Rollout& rollout, size_t begin, size_t end);

  /** Scores of everything submitted, in the order of the stages; waits for them. A stage without an image, such as one
   * that said to stop, gets a failed score. Rethrows what a reward threw. When the user asks the run to stop, the
   * reward is told to give up, and Error(interrupted) thrown. */
  std::vector<Score> collect();

 private:
  struct Batch {
    std::vector<Candidate> candidates;  // copies: the rollout grows while they are scored
    std::vector<const TaskPrompt*> prompts;
    std::vector<Score> operator()(const RewardFunction& reward) const;
  };
  const RewardFunction& reward_;
  const std::vector<TaskPrompt>& prompts_;
  bool overlap_;
  GiveUp give_up_;
  std::mutex mutex_;
  std::map<size_t, Batch> batches_;  // by the number of their first stage, like scores_
  std::map<size_t, std::future<std::vector<Score>>> scores_;
};

}  // namespace diptych
