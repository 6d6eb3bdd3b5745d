#pragma once

#include "diptych/train/recipe/rl_config.h"

namespace diptych {

struct EvaluationCost;

/** Throws Error(config) where an evaluation that is asked for could not score what it paints, such as pictures of
 *  another size than the shapes world's, or pictures made from prompts with a reward for edits. */
void check_evaluation(const EvaluationConfig& eval, const RolloutConfig& rollout, const RewardConfig& reward);

/** What one evaluation on the shapes world costs. */
EvaluationCost evaluation_on_shapes_cost(const EvaluationConfig& eval, const RolloutConfig& rollout,
                                         const RewardConfig& reward);

/** What a recipe may not mean although it trains, in sentences for the log. */
std::vector<std::string> recipe_warnings(const RlRecipe& recipe);

/** The recipe, if it trains what it asks for: its keys are in range already, but some combinations would train nothing,
 *  or something else. The rules that join sections stand here; a section's own are its `check`, those of a kind of step
 *  its StepKind::check. Throws Error(config) naming the key. Reads no model, starts nothing. */
RlRecipe checked_recipe(const RlRecipe& recipe);

}  // namespace diptych
