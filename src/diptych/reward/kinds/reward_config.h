#pragma once
// The [reward] section of a recipe, and the reward it names. docs/rewards.md explains every key.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "diptych/base/config/config.h"
#include "diptych/reward/judge/judge_config.h"
#include "diptych/reward/kinds/reward_kind.h"

namespace diptych {

/** The keys of one kind of reward, with the values of a recipe. */
struct KindKeys {
  const RewardKind* kind;
  ConfigSection values;
};

/** Those of all kinds that have any, in the order of the kinds, with their defaults. */
std::vector<KindKeys> default_kind_keys();

struct RewardConfig {
  std::string kind = "shapes_soft";
  std::vector<std::string> terms;
  double format_weight = 0;
  std::string format_rule = "think_answer";
  double max_missing = 0.5;
  bool lossless_images = false;
  JudgeConfig judge;
  std::vector<KindKeys> kind_keys = default_kind_keys();

  /** The keys of a kind, by their type. Throws std::out_of_range for a kind without keys, std::bad_any_cast for another
   *  type than its own. */
  template <class Keys>
  const Keys& keys(std::string_view of_kind) const {
    return kind_keys.at(place_of_keys(of_kind)).values.as<Keys>();
  }
  template <class Keys>
  Keys& keys(std::string_view of_kind) {
    return kind_keys.at(place_of_keys(of_kind)).values.as<Keys>();
  }

 private:
  size_t place_of_keys(std::string_view of_kind) const;
};

void visit(ConfigFields& fields, RewardConfig& reward);

/** How a judge gets its pictures where the protocol says JPEG. */
ImageEncoding judged_encoding(const RewardConfig& config);

/** Throws Error(config) where a reward that the recipe names cannot score the run. */
void check_rewarded_run(const RewardConfig& config, const RewardedRun& run);

/** Throws Error(config) where a reward of the recipe could not be made for its keys, or the judge's if one asks it.
 * Asks nobody, starts nothing. */
void check_reward_keys(const RewardConfig& config);

/** The first reward of the recipe that scores edits only; null if there is none. */
const RewardKind* reward_of_edits(const RewardConfig& config);

/** What all rewards of the recipe together ask to score one sample of the prompt. */
RewardRequests reward_requests(const RewardConfig& config, const TaskPrompt& prompt);

/** Whether a term of the recipe asks the judge. */
bool needs_judge(const RewardConfig& config);

/** The reward of a recipe: `kind` with weight 1, plus format_weight times the form, plus `terms` (composition.h).
 *  Several threads may call it at once. It starts the command, if a term needs it, with what `context` tells; the judge
 *  is asked by `ask`, such as a Judge whose statistics the caller reads, or else by one of its own. Throws
 * Error(config) for keys that do not fit, and what Judge and CommandReward throw. */
RewardFunction make_reward(const RewardConfig& config, const ChatFunction& ask = {},
                           const CommandContext& context = {});

}  // namespace diptych
