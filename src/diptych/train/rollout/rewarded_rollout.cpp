#include "diptych/train/rollout/rewarded_rollout.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

AdvantageOptions advantage_options(const RlTrainConfig& train) {
  AdvantageOptions options;
  options.std_scope = train.advantage_std == "round" ? StdScope::round : StdScope::group;
  options.epsilon = train.advantage_epsilon;
  return options;
}

// Every score that counts has the same terms, of which those without a say may lack a value.
Advantages advantages_by_term(const RewardedRollout& step, const AdvantageOptions& options) {
  std::vector<double> weights;
  std::vector<std::vector<double>> rewards;  // [term][stage]
  for (size_t i = 0; i < step.scores.size(); ++i) {
    if (!step.valid[i]) continue;
    const std::vector<TermScore>& terms = step.scores[i].terms;
    rewards.resize(terms.size(), std::vector<double>(step.scores.size(), 0.0));
    weights.resize(terms.size());
    for (size_t k = 0; k < terms.size(); ++k) {
      weights[k] = terms[k].weight;
      rewards[k][i] = terms[k].value.value_or(0);
    }
  }
  return gdpo_advantages(rewards, weights, step.groups, step.valid, options);
}

Advantages advantages_of(const RlRecipe& recipe, const RewardedRollout& step) {
  const AdvantageOptions options = advantage_options(recipe.train);
  if (!recipe.train.normalise_each_reward) return group_advantages(step.rewards, step.groups, step.valid, options);
  return advantages_by_term(step, options);
}

}  // namespace

std::optional<double> usable_value(const Score& score) {
  if (score.status != ScoreStatus::ok || !score.value || !std::isfinite(*score.value)) return std::nullopt;
  return score.value;
}

void reward_each_stage(RewardedRollout& step) {
  for (size_t i = 0; i < step.scores.size(); ++i) {
    const std::optional<double> value = usable_value(step.scores[i]);
    step.rewards.push_back(value.value_or(0));
    step.valid.push_back(value.has_value());
    step.groups.push_back(step.rollout.stages[i].prompt);
  }
  step.before.resize(step.scores.size());
}

void check_missing(const std::vector<Score>& scores, double largest_share) {
  if (scores.empty()) return;
  const auto missing =
      std::count_if(scores.begin(), scores.end(), [](const Score& score) { return !usable_value(score); });
  const double share = static_cast<double>(missing) / static_cast<double>(scores.size());
  if (share <= largest_share) return;
  const auto broken =
      std::find_if(scores.begin(), scores.end(), [](const Score& score) { return !usable_value(score); });
  throw Error(ExitCode::reward, {"rewards", cat("at most ", largest_share, " of them missing"), cat(share),
                                 broken->raw_reply.empty() ? "see the reward's own messages above"
                                                           : "one of them says: " + broken->raw_reply});
}

std::optional<MissingRewards> missing_rewards(const RewardedRollout& step) {
  MissingRewards missing;
  for (size_t i = 0; i < step.valid.size(); ++i) {
    if (step.valid[i]) continue;
    ++missing.count;
    if (missing.reason.empty() && !usable_value(step.scores[i])) missing.reason = step.scores[i].raw_reply;
  }
  return missing.count == 0 ? std::nullopt : std::optional(missing);
}

void add_advantages(const RlRecipe& recipe, RewardedRollout& step) {
  step.advantages = advantages_of(recipe, step);
  std::map<int64_t, bool> spreads;
  for (const GroupStatistics& group : step.advantages.groups) spreads[group.group] = !group.zero_spread;
  for (size_t i = 0; i < step.rewards.size(); ++i)
    if (step.valid[i] && spreads.at(step.groups[i])) step.contributing.push_back(i);
}

}  // namespace diptych
