// Self-reflective refinement (AlphaGRPO; alphagrpo.md 5.1, [C] alpha_grpo/tasks/reflect.py).

#include <algorithm>

#include "diptych/algorithm/refinement.h"
#include "diptych/train/rollout/step_kinds.h"

namespace diptych {

namespace {

FprRule rule_named(const std::string& name) {
  if (name == "off") return FprRule::off;
  return name == "paper" ? FprRule::paper : FprRule::code;
}

/** Pictures of the current policy, and the one of each prompt that will be refined. */
struct InitialPictures {
  RewardedRollout painted;
  std::vector<std::optional<size_t>> chosen;  // stage of each prompt; absent where no picture has a score
};

/** The first picture with a score of each prompt, or with `worst` the one with the lowest. */
std::vector<std::optional<size_t>> choose(const RewardedRollout& painted, bool worst) {
  std::vector<std::optional<size_t>> chosen(painted.prompts.size());
  for (size_t i = 0; i < painted.scores.size(); ++i) {
    const std::optional<double> value = usable_value(painted.scores[i]);
    if (!value) continue;
    std::optional<size_t>& best = chosen[static_cast<size_t>(painted.rollout.stages[i].prompt)];
    if (!best || (worst && *value < *painted.scores[*best].value)) best = i;
  }
  return chosen;
}

// Without mix_t2i they are plain Euler samples; with it they are trained too, so they have the window.
InitialPictures paint_initial(const StepInput& input, const std::vector<TaskPrompt>& prompts, uint64_t draw,
                              MetricRow& row) {
  const RefineConfig& refine = input.recipe.refine;
  RolloutRequest request = step_request(input, episode_prompts(prompts, draw));
  request.group_size = refine.initial_images;
  request.options.program = episode_program(refine.initial_episode);
  if (!refine.mix_t2i) request.options.schedule.window_size = 0;
  InitialPictures pictures;
  pictures.painted = sample_scored(input, prompts, std::move(request), row);
  check_missing(pictures.painted.scores, input.recipe.reward.max_missing);
  pictures.chosen = choose(pictures.painted, refine.selection == "worst");
  return pictures;
}

// The refinements of all prompts that have a picture; the others leave the step.
RewardedRollout refine(const StepInput& input, const InitialPictures& pictures, std::vector<TaskPrompt> prompts,
                       uint64_t draw, MetricRow& row) {
  std::vector<TaskPrompt> refined;
  std::vector<EpisodePrompt> episodes;
  std::vector<double> before;
  for (size_t p = 0; p < prompts.size(); ++p) {
    if (!pictures.chosen[p]) continue;
    const size_t chosen = *pictures.chosen[p];
    before.push_back(*pictures.painted.scores[chosen].value);
    EpisodePrompt episode{prompts[p].text, draw * prompts.size() + p};
    // Another rank's picture is not here, but then its prompt is that rank's too.
    const Stage& picture = pictures.painted.rollout.stages[chosen];
    if (!picture.remote) episode.sources = {picture.candidate.images.back()};
    episodes.push_back(std::move(episode));
    refined.push_back(std::move(prompts[p]));
  }
  RolloutRequest request = step_request(input, episodes);
  request.options.first_round = 1;
  RewardedRollout step = sample_scored(input, std::move(refined), std::move(request), row);
  check_missing(step.scores, input.recipe.reward.max_missing);
  reward_each_stage(step);
  for (size_t i = 0; i < step.before.size(); ++i)
    step.before[i] = before[static_cast<size_t>(step.rollout.stages[i].prompt)];
  // For the record alone: rewards must not take the picture for one that the user gave.
  for (size_t p = 0; p < step.prompts.size(); ++p) step.prompts[p].sources = episodes[p].sources;
  return step;
}

std::vector<double> values_before(const RewardedRollout& step) {
  std::vector<double> values;
  for (const std::optional<double>& value : step.before) values.push_back(value.value_or(0));
  return values;
}

/** Of the refinements that have a score; absent without any. */
std::optional<double> share(const RewardedRollout& step,
                            const std::function<bool(double before, double after)>& holds) {
  double count = 0;
  double all = 0;
  for (size_t i = 0; i < step.rewards.size(); ++i) {
    if (!step.valid[i] || !step.before[i]) continue;
    all += 1;
    count += holds(*step.before[i], step.rewards[i]) ? 1 : 0;
  }
  if (all == 0) return std::nullopt;
  return count / all;
}

// What no picture has a score for has no value.
void add_refinement_metrics(const InitialPictures& pictures, RewardedRollout& step) {
  double initial = 0;
  double chosen = 0;
  double count = 0;
  for (const Score& score : pictures.painted.scores) {
    if (const std::optional<double> value = usable_value(score)) {
      initial += *value;
      count += 1;
    }
  }
  for (const std::optional<double>& value : step.before) chosen += value.value_or(0);
  if (count > 0) step.metrics["refine/initial_score"] = initial / count;
  if (!step.before.empty()) step.metrics["refine/chosen_score"] = chosen / static_cast<double>(step.before.size());
  if (const auto improved = share(step, [](double before, double after) { return after > before; }))
    step.metrics["refine/improved"] = *improved;
  if (const auto worsened = share(step, [](double before, double after) { return after < before; }))
    step.metrics["refine/worsened"] = *worsened;
}

// The initial pictures join the step as groups of their own.
void mix(RewardedRollout initial, RewardedRollout& step) {
  reward_each_stage(initial);
  const auto prompt_offset = static_cast<int64_t>(step.prompts.size());
  const auto context_offset = static_cast<int64_t>(step.rollout.contexts.size());
  for (Stage& stage : initial.rollout.stages) {
    stage.prompt += prompt_offset;
    stage.context += context_offset;
    step.rollout.stages.push_back(std::move(stage));
  }
  for (int64_t& group : initial.groups) group += prompt_offset;
  const auto append = [](auto& into, auto& from) { into.insert(into.end(), from.begin(), from.end()); };
  append(step.prompts, initial.prompts);
  append(step.rollout.contexts, initial.rollout.contexts);
  append(step.scores, initial.scores);
  append(step.rewards, initial.rewards);
  append(step.valid, initial.valid);
  append(step.groups, initial.groups);
  append(step.before, initial.before);
  step.rollout.prompts += initial.rollout.prompts;
}

RewardedRollout run_refinement(const StepInput& input, MetricRow& row) {
  const RefineConfig& config = input.recipe.refine;
  const auto draws = static_cast<uint64_t>(config.draws);
  for (uint64_t attempt = 0;; ++attempt) {
    const uint64_t draw = input.step * draws + attempt;
    const std::vector<TaskPrompt> prompts = input.prompts(draw);
    InitialPictures pictures = paint_initial(input, prompts, draw, row);
    RewardedRollout step = refine(input, pictures, prompts, draw, row);
    add_refinement_metrics(pictures, step);
    step.metrics["refine/draws"] = static_cast<double>(attempt + 1);
    const std::vector<double> before = values_before(step);
    const bool improves = improves_anywhere(step.rewards, before, step.valid);
    if (!improves && attempt + 1 < draws) continue;
    step.rewards = rectify(step.rewards, before, step.groups, step.valid, rule_named(config.rectification));
    // A dropped step keeps its stages for the record, but none of them counts.
    if (!improves) step.valid.assign(step.valid.size(), false);
    if (config.mix_t2i) mix(std::move(pictures.painted), step);
    add_advantages(input.recipe, step);
    return step;
  }
}

}  // namespace

/** Self-reflective refinement (AlphaGRPO, alphagrpo.md 5.1): K pictures per prompt from the current policy; one of them
 *  is told to have failed, and group_size reflections with refined pictures are sampled behind it. The reward is the
 *  score of the refined picture, rectified (algorithm/refinement.h). Prompts none of whose refinements improve on
 *  anything are drawn anew, up to refine.draws times. */
std::vector<StepKind> refinement_step() {
  return {{.order = 10,
           .takes = [](const EpisodeProgram& program) { return program.name == "reflect"; },
           .check = check_plain_scores,
           .most_draws = [](const RlRecipe& recipe) { return recipe.refine.draws; },
           .run = run_refinement}};
}

}  // namespace diptych
