#include "diptych/train/rewarded_rollout.h"

#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

AdvantageOptions advantage_options(const RlTrainConfig& train) {
  AdvantageOptions options;
  options.std_scope = train.advantage_std == "round" ? StdScope::round : StdScope::group;
  options.epsilon = train.advantage_epsilon;
  options.clamp = train.advantage_clamp;
  return options;
}

}  // namespace

void score_rollout(const RlRecipe& recipe, const RewardFunction& reward, RewardedRollout& step) {
  std::vector<ScoredPair> pairs;
  std::vector<int64_t> groups;
  for (const Trajectory& chain : step.rollout.chains) {
    pairs.push_back({&step.prompts[static_cast<size_t>(chain.prompt)], &chain.candidate});
    groups.push_back(chain.prompt);
  }
  int64_t missing = 0;
  for (const Score& score : reward(pairs)) {
    const bool usable = score.status == ScoreStatus::ok && score.value && std::isfinite(*score.value);
    step.rewards.push_back(usable ? *score.value : 0);
    step.valid.push_back(usable);
    missing += usable ? 0 : 1;
  }
  const double share = static_cast<double>(missing) / static_cast<double>(pairs.size());
  if (share > recipe.reward.max_missing)
    throw Error(ExitCode::reward, {"rewards", cat("at most ", recipe.reward.max_missing, " of them missing"),
                                   cat(share), "see the reward's own messages above"});
  step.advantages = group_advantages(step.rewards, groups, step.valid, advantage_options(recipe.train));
  for (size_t i = 0; i < pairs.size(); ++i) {
    const GroupStatistics& group = step.advantages.groups[static_cast<size_t>(groups[i])];
    if (step.valid[i] && !group.zero_spread) step.contributing.push_back(i);
  }
}

}  // namespace diptych
