#pragma once
// A rollout with its rewards and advantages.

#include "diptych/algorithm/advantages.h"
#include "diptych/train/rl_config.h"

namespace diptych {

struct RewardedRollout {
  std::vector<TaskPrompt> prompts;
  Rollout rollout;
  std::vector<double> rewards;  // 0 where missing; `valid` says which count
  std::vector<bool> valid;
  Advantages advantages;
  std::vector<size_t> contributing;  // chains of groups that have a spread, and a valid reward
};

/** Scores all chains, and computes advantages from the valid rewards. Missing and non-finite rewards are masked, never
 * 0. Throws Error(reward) when more than reward.max_missing of them are missing. */
void score_rollout(const RlRecipe& recipe, const RewardFunction& reward, RewardedRollout& step);

}  // namespace diptych
