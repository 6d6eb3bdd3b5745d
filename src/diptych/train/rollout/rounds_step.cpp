// Chains of rounds: think and paint, then review until the model stops (r3.md 7: what a multi-round trainer needs).

#include <algorithm>

#include "diptych/algorithm/round_credit.h"
#include "diptych/train/rollout/step_kinds.h"

namespace diptych {

namespace {

/** Stages of the episodes of a rollout, in order of their rounds. */
using Chains = std::map<std::pair<int64_t, int64_t>, std::vector<size_t>>;  // (prompt, sample)

Chains chains_of(const Rollout& rollout) {
  Chains chains;
  for (size_t i = 0; i < rollout.stages.size(); ++i)
    chains[{rollout.stages[i].prompt, rollout.stages[i].sample}].push_back(i);
  return chains;
}

RoundChain round_chain(const RewardedRollout& step, const std::vector<size_t>& stages) {
  RoundChain chain;
  for (size_t i : stages) {
    const Stage& stage = step.rollout.stages[i];
    if (stage.end == StageEnd::painted) chain.values.push_back(usable_value(step.scores[i]));
    if (stage.end == StageEnd::stopped) chain.end = RoundEnd::stop;
    if (stage.end == StageEnd::unreadable) chain.end = RoundEnd::unreadable;
  }
  return chain;
}

// Only pictures have scores of their own, so only they can miss one.
std::vector<Score> picture_scores(const RewardedRollout& step) {
  std::vector<Score> scores;
  for (size_t i = 0; i < step.scores.size(); ++i)
    if (step.rollout.stages[i].image) scores.push_back(step.scores[i]);
  return scores;
}

void add_metrics(const std::vector<RoundChain>& chains, const RefineConfig& config, RewardedRollout& step) {
  const StopStatistics stops = stop_statistics(chains, 1 - config.perfect);
  step.metrics["rounds/stops"] = static_cast<double>(stops.stops);
  step.metrics["rounds/false_stops"] = static_cast<double>(stops.false_stops);
  step.metrics["rounds/unreadable"] = static_cast<double>(stops.unreadable);
  if (const auto precision = stops.precision()) step.metrics["rounds/stop_precision"] = *precision;
  if (const auto recall = stops.recall()) step.metrics["rounds/stop_recall"] = *recall;
  double first = 0, last = 0, refinements = 0, count = 0;
  for (const RoundChain& chain : chains) {
    refinements += static_cast<double>(chain.values.size()) - 1;
    if (!chain.values.front() || !chain.values.back()) continue;
    first += *chain.values.front();
    last += *chain.values.back();
    count += 1;
  }
  step.metrics["rounds/refinements"] = refinements / static_cast<double>(chains.size());
  if (count > 0) {
    step.metrics["rounds/first_score"] = first / count;
    step.metrics["rounds/last_score"] = last / count;
  }
}

RewardedRollout run_rounds(const StepInput& input, MetricRow& row) {
  const std::vector<TaskPrompt> prompts = input.prompts(input.step);
  RewardedRollout step = sample_scored(input, prompts, step_request(input, episode_prompts(prompts, input.step)), row);
  check_missing(picture_scores(step), input.recipe.reward.max_missing);

  const RefineConfig& config = input.recipe.refine;
  const RoundCreditOptions credit{
      .kind = config.credit == "final" ? RoundCreditKind::final : RoundCreditKind::improvement,
      .stop_bonus = config.stop_bonus,
      .false_stop_cost = config.false_stop_cost,
      .perfect_tolerance = 1 - config.perfect};
  const size_t count = step.rollout.stages.size();
  step.rewards.resize(count);
  step.valid.resize(count);
  step.groups.resize(count);
  step.before.resize(count);
  std::vector<RoundChain> chains;
  const auto rounds = static_cast<int64_t>(input.episode.program.stages.size());
  for (const auto& [address, stages] : chains_of(step.rollout)) {
    chains.push_back(round_chain(step, stages));
    const std::vector<StageCredit> credits = stage_credits(chains.back(), credit);
    for (size_t k = 0; k < stages.size(); ++k) {
      const size_t i = stages[k];
      step.rewards[i] = credits[k].reward.value_or(0);
      step.valid[i] = credits[k].reward.has_value();
      // Refinements and stops of a round are the two answers to the same question.
      step.groups[i] = address.first * rounds + step.rollout.stages[i].round;
      if (k > 0) step.before[i] = usable_value(step.scores[stages[k - 1]]);
    }
  }
  add_metrics(chains, config, step);
  add_advantages(input.recipe, step);
  return step;
}

}  // namespace

/** Real chains: think and paint, then review until the model stops or the rounds are over. Every stage is rewarded for
 *  what it changes (algorithm/round_credit.h), among the stages of the same prompt and round. */
std::vector<StepKind> rounds_step() {
  return {{.order = 20,
           .takes = [](const EpisodeProgram& program) { return program.stages.size() > 1; },
           .check = check_plain_scores,
           .run = run_rounds}};
}

}  // namespace diptych
