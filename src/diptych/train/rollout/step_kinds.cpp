#include "diptych/train/rollout/step_kinds.h"

#include <algorithm>

#include "diptych/base/config/require.h"

namespace diptych {

namespace {

const StepKind& step_kind_of(const EpisodeProgram& program) {
  // The last one, the plain step, takes whatever the others leave.
  return *std::ranges::find_if(step_kinds(), [&](const StepKind& kind) { return kind.takes(program); });
}

const StepKind& step_kind_of(const RlRecipe& recipe) {
  return step_kind_of(episode_program(recipe.rollout.episode));
}

}  // namespace

RewardedRollout rollout_step(const StepInput& input, MetricRow& row) {
  return step_kind_of(input.episode.program).run(input, row);
}

void check_step(const RlRecipe& recipe) {
  step_kind_of(recipe).check(recipe);
}

int64_t most_draws(const RlRecipe& recipe) {
  return step_kind_of(recipe).most_draws(recipe);
}

void check_plain_scores(const RlRecipe& recipe) {
  require(!recipe.train.normalise_each_reward, "train.normalise_each_reward",
          "false for " + recipe.rollout.episode + ", whose rewards are not plain scores", "true", "");
}

}  // namespace diptych
