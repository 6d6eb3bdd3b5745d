#pragma once
// One rollout step of a recipe: prompts, episodes, scores, advantages. Each kind of step is a file, NAME_step.cpp;
// cmake/list.cmake collects them.

#include "diptych/train/rollout/scored_rollout.h"

namespace diptych {

/** How some episodes are trained. */
struct StepKind {
  int order = 0;  // of the kinds that take an episode, the first makes its steps
  bool (*takes)(const EpisodeProgram& program);
  /** Throws Error(config) for a recipe whose episode this kind takes, but that asks for what it does not do. */
  void (*check)(const RlRecipe& recipe);
  /** Draws of prompts that a step makes, at most: step s may ask for draws s * most_draws, s * most_draws + 1, ... */
  int64_t (*most_draws)(const RlRecipe& recipe) = [](const RlRecipe&) { return int64_t{1}; };
  /** Samples and scores (sample_scored), and adds advantages. Throws Error(reward) when too many scores are missing. */
  RewardedRollout (*run)(const StepInput& input, MetricRow& row);
};

/** The step that the recipe's episode asks for. Throws what StepKind::run throws. */
RewardedRollout rollout_step(const StepInput& input, MetricRow& row);

/** StepKind::check of the recipe's step. */
void check_step(const RlRecipe& recipe);

/** StepKind::most_draws of the recipe's step. */
int64_t most_draws(const RlRecipe& recipe);

/** Throws Error(config) for train.normalise_each_reward: a check of steps whose rewards are no plain scores. */
void check_plain_scores(const RlRecipe& recipe);

/** The entries of all files of this folder. */
std::vector<StepKind> listed_step_kinds();

}  // namespace diptych
