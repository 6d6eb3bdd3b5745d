#pragma once
// A rollout with its rewards and advantages.

#include "diptych/algorithm/advantages.h"
#include "diptych/train/recipe/rl_config.h"

namespace diptych {

struct RewardedRollout {
  std::vector<TaskPrompt> prompts;
  Rollout rollout;
  // One entry per stage of the rollout:
  std::vector<Score> scores;    // of what the stage made
  std::vector<double> rewards;  // what the advantages come from; 0 where missing: `valid` says which count
  std::vector<bool> valid;
  std::vector<int64_t> groups;                // stages that are compared with each other
  std::vector<std::optional<double>> before;  // score of the picture that a refinement started from
  Advantages advantages;
  std::vector<size_t> contributing;       // stages of groups that have a spread, and a valid reward
  std::map<std::string, double> metrics;  // of the kind of step, under the names of docs/metrics.md
};

/** The value of a score that counts: present, ok and finite. */
std::optional<double> usable_value(const Score& score);

/** Sets rewards and validity from the scores: every stage's own score, in groups of equal prompt. */
void reward_each_stage(RewardedRollout& step);

/** Stages without a reward, and what the judge or scorer said of one of them. */
struct MissingRewards {
  size_t count = 0;
  std::string reason;
};

/** nullopt if every stage has a reward. */
std::optional<MissingRewards> missing_rewards(const RewardedRollout& step);

/** Throws Error(reward) when more than `largest_share` of the scores have no usable value. */
void check_missing(const std::vector<Score>& scores, double largest_share);

/** Computes advantages and the contributing stages from rewards, validity and groups. Missing rewards are masked, never
 *  0. */
void add_advantages(const RlRecipe& recipe, RewardedRollout& step);

}  // namespace diptych
