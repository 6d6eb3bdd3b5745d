#pragma once
// The [reward] section of a recipe, and the reward it names. docs/rewards.md explains every key.

#include <cstdint>
#include <string>
#include <vector>

#include "diptych/base/config.h"
#include "diptych/reward/chat/chat.h"
#include "diptych/reward/command_reward.h"
#include "diptych/reward/judge/judge_config.h"
#include "diptych/reward/task.h"

namespace diptych {

/** Every name that `kind` and `terms` may hold. */
const std::vector<std::string>& reward_kinds();

struct DvRewardConfig {
  std::string aggregate = "geometric";
  std::string empty_list = "one";
  std::string system_prompt_file;
  int64_t top_logprobs = 5;
  std::string image_format = "jpeg";
  int64_t jpeg_quality = 95;
};

inline void visit(ConfigFields& fields, DvRewardConfig& dvreward) {
  fields.choice("aggregate", dvreward.aggregate, {"geometric", "arithmetic", "pooled", "binary"},
                "how the answers become one value", Change::recorded);
  fields.choice("empty_list", dvreward.empty_list, {"one", "error"},
                "a prompt without semantic or without quality questions: that mean is 1, or the run stops",
                Change::recorded);
  fields("system_prompt_file", dvreward.system_prompt_file,
         "file with the system prompt of yes/no questions; empty: AlphaGRPO's; none: no system prompt", Change::files);
  fields.range("top_logprobs", dvreward.top_logprobs, 1, 20, "alternatives of the first token that the judge lists",
               Change::recorded);
  fields.choice("image_format", dvreward.image_format, {"jpeg", "png"}, "how yes/no questions send the image",
                Change::recorded);
  fields.range("jpeg_quality", dvreward.jpeg_quality, 1, 100, "of these images", Change::recorded);
}

inline void visit(ConfigFields& fields, CommandRewardOptions& command) {
  fields("program", command.command, "program and arguments of the reward \"command\"; no shell reads it",
         Change::files);
  fields.range("start_seconds", command.start_seconds, 0.001, 1e6, "limit for its first answer, loading included",
               Change::free);
  fields.range("batch_seconds", command.batch_seconds, 0.001, 1e6, "limit for all answers of a batch", Change::free);
  fields.range("restarts", command.restarts, 0, 1000000, "restarts in a row before all samples are masked",
               Change::free);
}

struct RewardConfig {
  std::string kind = "shapes_soft";
  std::vector<std::string> terms;
  double format_weight = 0;
  std::string format_rule = "think_answer";
  double max_missing = 0.5;
  std::string holistic_question = "Does the picture show exactly: {prompt}?";
  bool scalar_from_logprobs = false;
  std::string scalar_question;
  std::vector<std::string> viescore_questions;
  bool lossless_images = false;
  DvRewardConfig dvreward;
  CommandRewardOptions command;
  JudgeConfig judge;
};

inline void visit(ConfigFields& fields, RewardConfig& reward) {
  fields.choice("kind", reward.kind, reward_kinds(), "what scores a sample");
  fields("terms", reward.terms, "further rewards to add, each as \"kind:weight\"", Change::recorded);
  fields.range("format_weight", reward.format_weight, 0, 1e6, "weight of the form of the texts; 0: none",
               Change::recorded);
  fields.choice("format_rule", reward.format_rule, {"think", "think_answer"},
                "<think> ... </think> and nothing else (AlphaGRPO), or with an answer after it", Change::recorded);
  fields.range("max_missing", reward.max_missing, 0, 1, "the run stops when a larger share of rewards is missing",
               Change::recorded);
  fields("holistic_question", reward.holistic_question, "judge_holistic: its one question", Change::recorded);
  fields("scalar_from_logprobs", reward.scalar_from_logprobs,
         "scalar: expectation over the digits' log-probabilities instead of the digit written", Change::recorded);
  fields("scalar_question", reward.scalar_question,
         "scalar: its question, with {prompt}, behind the image; empty: the built-in one", Change::recorded);
  fields("viescore_questions", reward.viescore_questions,
         "viescore: own questions for consistency and quality, behind the image and answered by a mark from 0 to 10; "
         "none: the published ones",
         Change::recorded);
  fields("lossless_images", reward.lossless_images,
         "judges get PNG where the protocol says JPEG: JPEG spoils very small pictures", Change::recorded);
  fields.section("dvreward", reward.dvreward);
  fields.section("command", reward.command);
  fields.section("judge", reward.judge);
}

/** Throws Error(config) where a term that asks a judge could not be made. Asks nobody, starts nothing. */
void check_judged_rewards(const RewardConfig& config);

/** The reward of a recipe: `kind` with weight 1, plus format_weight times the form, plus `terms` (composition.h).
 *  Several threads may call it at once. It starts the command, if a term needs it, with what `context` tells; the judge
 *  is asked by `ask`, such as a Judge whose statistics the caller reads, or else by one of its own. Throws
 * Error(config) for keys that do not fit, and what Judge and CommandReward throw. */
RewardFunction make_reward(const RewardConfig& config, const ChatFunction& ask = {},
                           const CommandContext& context = {});

/** Whether a term of the recipe asks the judge. */
bool needs_judge(const RewardConfig& config);

}  // namespace diptych
