#include "diptych/base/config/require.h"
#include "diptych/train/rollout/step_kinds.h"

namespace diptych {

namespace {

bool takes_any(const EpisodeProgram&) {
  return true;
}

/** A stage that stops has no picture whose score could reward it. */
void check_nothing_stops(const RlRecipe& recipe) {
  const EpisodeProgram program = episode_program(recipe.rollout.episode);
  require(!program.stages.front().may_stop, "rollout.episode", "reflect or rounds:N", program.name,
          "a review by itself is for sampling and evaluation");
}

RewardedRollout run_plain(const StepInput& input, MetricRow& row) {
  const std::vector<TaskPrompt> prompts = input.prompts(input.step);
  RewardedRollout step = sample_scored(input, prompts, step_request(input, episode_prompts(prompts, input.step)), row);
  check_missing(step.scores, input.recipe.reward.max_missing);
  reward_each_stage(step);
  add_advantages(input.recipe, step);
  return step;
}

}  // namespace

/** Samples train.group_size episodes of one stage per prompt; the reward of a stage is its score. */
std::vector<StepKind> plain_step() {
  return {{.order = 1000, .takes = takes_any, .check = check_nothing_stops, .run = run_plain}};
}

}  // namespace diptych
