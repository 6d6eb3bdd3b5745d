#include "diptych/reward/kinds/reward_config.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <set>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/composition.h"
#include "diptych/reward/judge/judge.h"

namespace diptych {

namespace {

constexpr double kLargestWeight = 1e6;  // as of reward.format_weight

struct WeightedKind {
  const RewardKind* kind = nullptr;
  double weight = 1;
};

std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for (const RewardKind& kind : reward_kinds()) names.push_back(kind.name);
  return names;
}

const RewardKind& known_kind(const std::string& where, const std::string& name) {
  if (const RewardKind* kind = find_reward_kind(name)) return *kind;
  throw Error(ExitCode::config, {where, "one of " + join(kind_names(), ", "), "'" + name + "'", ""});
}

WeightedKind parse_term(const std::string& text) {
  const size_t colon = text.rfind(':');
  WeightedKind term;
  const char* begin = colon == text.npos ? text.data() + text.size() : text.data() + colon + 1;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(begin, end, term.weight);
  if (error != std::errc() || stop != end || !(std::abs(term.weight) <= kLargestWeight))
    throw Error(ExitCode::config, {"reward.terms",
                                   cat("\"kind:weight\" with a weight from ", -kLargestWeight, " to ", kLargestWeight,
                                       ", such as \"format_think:0.5\""),
                                   "'" + text + "'", ""});
  term.kind = &known_kind("reward.terms", text.substr(0, colon));
  return term;
}

std::vector<WeightedKind> terms_of(const RewardConfig& config) {
  std::vector<WeightedKind> terms = {{&known_kind("reward.kind", config.kind), 1}};
  if (config.format_weight != 0)
    terms.push_back({&known_kind("reward.format_rule", "format_" + config.format_rule), config.format_weight});
  for (const std::string& text : config.terms) terms.push_back(parse_term(text));
  std::set<const RewardKind*> seen;
  for (const WeightedKind& term : terms)
    if (!seen.insert(term.kind).second)
      throw Error(ExitCode::config, {"reward.terms", "every kind once", "'" + term.kind->name + "' twice",
                                     "reward.kind and reward.format_weight are terms too"});
  return terms;
}

/** The kinds of `kind` and `terms`. Says nothing of terms in another form, or of unknown names: terms_of does. */
std::vector<const RewardKind*> named_kinds(const RewardConfig& config) {
  std::vector<std::string> names = {config.kind};
  for (const std::string& term : config.terms) names.push_back(term.substr(0, term.find(':')));
  std::vector<const RewardKind*> kinds;
  for (const std::string& name : names)
    if (const RewardKind* kind = find_reward_kind(name)) kinds.push_back(kind);
  return kinds;
}

ChatFunction judge_function(const JudgeConfig& config) {
  const auto judge = std::make_shared<Judge>(config);
  return [judge](const std::vector<ChatRequest>& requests) { return judge->ask(requests); };
}

}  // namespace

const RewardKind* find_reward_kind(const std::string& name) {
  const auto kind = std::ranges::find(reward_kinds(), name, &RewardKind::name);
  return kind == reward_kinds().end() ? nullptr : &*kind;
}

std::vector<KindKeys> default_kind_keys() {
  std::vector<KindKeys> all;
  for (const RewardKind& kind : reward_kinds())
    if (kind.keys) all.push_back({&kind, *kind.keys});
  return all;
}

size_t RewardConfig::place_of_keys(std::string_view of_kind) const {
  const auto keys = std::ranges::find(kind_keys, of_kind, [](const KindKeys& one) { return one.kind->name; });
  return static_cast<size_t>(keys - kind_keys.begin());
}

void visit(ConfigFields& fields, RewardConfig& reward) {
  fields.choice("kind", reward.kind, kind_names(), "what scores a sample");
  fields("terms", reward.terms, "further rewards to add, each as \"kind:weight\"", Change::recorded);
  fields.range("format_weight", reward.format_weight, 0, 1e6, "weight of the form of the texts; 0: none",
               Change::recorded);
  fields.choice("format_rule", reward.format_rule, {"think", "think_answer"},
                "<think> ... </think> and nothing else (AlphaGRPO), or with an answer after it", Change::recorded);
  fields.range("max_missing", reward.max_missing, 0, 1, "the run stops when a larger share of rewards is missing",
               Change::recorded);
  for (KindKeys& keys : reward.kind_keys)
    if (keys.kind->section.empty()) visit(fields, keys.values);
  fields("lossless_images", reward.lossless_images,
         "judges get PNG where the protocol says JPEG: JPEG spoils very small pictures", Change::recorded);
  for (KindKeys& keys : reward.kind_keys)
    if (!keys.kind->section.empty()) fields.section(keys.kind->section, keys.values);
  fields.section("judge", reward.judge);
}

ImageEncoding judged_encoding(const RewardConfig& config) {
  return config.lossless_images ? ImageEncoding::png : ImageEncoding::jpeg;
}

void check_rewarded_run(const RewardConfig& config, const RewardedRun& run) {
  for (const RewardKind* kind : named_kinds(config)) kind->check_run(run);
}

void check_reward_keys(const RewardConfig& config) {
  if (needs_judge(config)) check_judge_config(config.judge);
  for (const WeightedKind& term : terms_of(config)) term.kind->check_keys(config);
}

const RewardKind* reward_of_edits(const RewardConfig& config) {
  for (const RewardKind* kind : named_kinds(config))
    if (kind->edits_only) return kind;
  return nullptr;
}

RewardRequests reward_requests(const RewardConfig& config, const TaskPrompt& prompt) {
  RewardRequests sum;
  for (const RewardKind* kind : named_kinds(config)) {
    const RewardRequests requests = kind->requests(prompt);
    sum.judge += requests.judge;
    sum.program += requests.program;
  }
  return sum;
}

bool needs_judge(const RewardConfig& config) {
  return std::ranges::any_of(terms_of(config), [](const WeightedKind& term) { return term.kind->asks_judge; });
}

RewardFunction make_reward(const RewardConfig& config, const ChatFunction& ask, const CommandContext& context) {
  const RewardSetting setting{
      .config = config, .ask = !ask && needs_judge(config) ? judge_function(config.judge) : ask, .context = context};
  std::vector<RewardTerm> terms;
  for (const WeightedKind& term : terms_of(config))
    terms.push_back({term.kind->name, term.weight, term.kind->make(setting)});
  return weighted_sum(std::move(terms));
}

}  // namespace diptych
