#include "diptych/reward/kinds/reward_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <set>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/reward/composition.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/reward/protocols/dvreward.h"
#include "diptych/reward/protocols/scalar_score.h"
#include "diptych/reward/protocols/unified_reward.h"
#include "diptych/reward/protocols/viescore.h"

namespace diptych {

namespace {

constexpr double kLargestWeight = 1e6;  // as of reward.format_weight

struct NamedWeight {
  std::string kind;
  double weight = 1;
};

const std::vector<std::string>& judged_kinds() {
  static const std::vector<std::string> kinds = {"dvreward", "judge_holistic", "viescore", "unified_reward", "scalar"};
  return kinds;
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

void check_kind(const std::string& where, const std::string& kind) {
  if (!contains(reward_kinds(), kind))
    throw Error(ExitCode::config, {where, "one of " + join(reward_kinds(), ", "), "'" + kind + "'", ""});
}

NamedWeight parse_term(const std::string& text) {
  const size_t colon = text.rfind(':');
  NamedWeight term{text.substr(0, colon), 0};
  const char* begin = colon == text.npos ? text.data() + text.size() : text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, term.weight);
  if (error != std::errc() || stop != end || !(std::abs(term.weight) <= kLargestWeight))
    throw Error(ExitCode::config, {"reward.terms",
                                   cat("\"kind:weight\" with a weight from ", -kLargestWeight, " to ", kLargestWeight,
                                       ", such as \"format_think:0.5\""),
                                   "'" + text + "'", ""});
  check_kind("reward.terms", term.kind);
  return term;
}

std::vector<NamedWeight> terms_of(const RewardConfig& config) {
  check_kind("reward.kind", config.kind);
  std::vector<NamedWeight> terms = {{config.kind, 1}};
  if (config.format_weight != 0) terms.push_back({"format_" + config.format_rule, config.format_weight});
  for (const std::string& text : config.terms) terms.push_back(parse_term(text));
  std::set<std::string> seen;
  for (const NamedWeight& term : terms)
    if (!seen.insert(term.kind).second)
      throw Error(ExitCode::config, {"reward.terms", "every kind once", "'" + term.kind + "' twice",
                                     "reward.kind and reward.format_weight are terms too"});
  return terms;
}

std::string system_prompt(const std::string& file) {
  if (file.empty()) return std::string(kDvRewardSystemPrompt);
  return file == "none" ? "" : std::string(trimmed(read_file(file)));
}

DvRewardOptions dvreward_options(const DvRewardConfig& config, bool lossless) {
  DvRewardOptions options;
  options.question.system_prompt = system_prompt(config.system_prompt_file);
  options.question.encoding = lossless || config.image_format == "png" ? ImageEncoding::png : ImageEncoding::jpeg;
  options.question.jpeg_quality = static_cast<int>(config.jpeg_quality);
  options.question.top_logprobs = static_cast<int>(config.top_logprobs);
  options.aggregate = dvreward_aggregate_kind(config.aggregate);
  options.empty_list = config.empty_list == "error" ? EmptyList::error : EmptyList::one;
  return options;
}

VieScoreOptions viescore_options(const std::vector<std::string>& questions, ImageEncoding encoding) {
  if (questions.empty()) return {.encoding = encoding};
  if (questions.size() != 2)
    throw Error(ExitCode::config,
                {"reward.viescore_questions", "two: of consistency and of quality", cat(questions.size()), ""});
  return {questions[0], questions[1], encoding};
}

RewardFunction judged_reward(const std::string& kind, const RewardConfig& config, const ChatFunction& ask) {
  using Pairs = std::vector<ScoredPair>;
  const DvRewardOptions options = dvreward_options(config.dvreward, config.lossless_images);
  if (kind == "dvreward") return [=](const Pairs& pairs) { return dvreward(pairs, ask, options); };
  if (kind == "judge_holistic") {
    const std::string question = config.holistic_question;
    if (question.find("{prompt}") == question.npos)
      throw Error(ExitCode::config, {"reward.holistic_question", "a question with {prompt}", "'" + question + "'", ""});
    return [=](const Pairs& pairs) { return holistic_reward(pairs, ask, question, options.question); };
  }
  const ImageEncoding encoding = config.lossless_images ? ImageEncoding::png : ImageEncoding::jpeg;
  if (kind == "viescore") {
    const VieScoreOptions vie = viescore_options(config.viescore_questions, encoding);
    return [=](const Pairs& pairs) { return viescore(pairs, ask, vie); };
  }
  if (kind == "unified_reward") return [=](const Pairs& pairs) { return unified_reward(pairs, ask); };
  const ScalarScoreOptions scalar{config.scalar_from_logprobs, config.scalar_question, encoding};
  return [=](const Pairs& pairs) { return scalar_score(pairs, ask, scalar); };
}

RewardFunction command_function(const CommandRewardOptions& options, const CommandContext& context) {
  if (options.command.empty())
    throw Error(ExitCode::config, {"reward.command.program", "the program that scores, with its arguments", "nothing",
                                   "program = [\"python3\", \"my_reward.py\"]"});
  const auto command = std::make_shared<CommandReward>(options, context);
  return [command](const std::vector<ScoredPair>& pairs) { return command->score(pairs); };
}

ChatFunction judge_function(const JudgeConfig& config) {
  const auto judge = std::make_shared<Judge>(config);
  return [judge](const std::vector<ChatRequest>& requests) { return judge->ask(requests); };
}

}  // namespace

const std::vector<std::string>& reward_kinds() {
  static const std::vector<std::string> kinds = [] {
    std::vector<std::string> all = plain_reward_kinds();
    all.insert(all.end(), judged_kinds().begin(), judged_kinds().end());
    all.push_back("command");
    return all;
  }();
  return kinds;
}

bool needs_judge(const RewardConfig& config) {
  const std::vector<NamedWeight> terms = terms_of(config);
  return std::any_of(terms.begin(), terms.end(),
                     [](const NamedWeight& term) { return contains(judged_kinds(), term.kind); });
}

void check_judged_rewards(const RewardConfig& config) {
  if (!needs_judge(config)) return;
  check_judge_config(config.judge);
  for (const NamedWeight& term : terms_of(config))
    if (contains(judged_kinds(), term.kind)) judged_reward(term.kind, config, ChatFunction());
}

RewardFunction make_reward(const RewardConfig& config, const ChatFunction& ask, const CommandContext& context) {
  const ChatFunction judge = !ask && needs_judge(config) ? judge_function(config.judge) : ask;
  std::vector<RewardTerm> terms;
  for (const NamedWeight& term : terms_of(config)) {
    RewardFunction reward;
    if (contains(judged_kinds(), term.kind)) {
      reward = judged_reward(term.kind, config, judge);
    } else if (term.kind == "command") {
      reward = command_function(config.command, context);
    } else {
      reward = make_reward(term.kind);
    }
    terms.push_back({term.kind, term.weight, std::move(reward)});
  }
  return weighted_sum(std::move(terms));
}

}  // namespace diptych
