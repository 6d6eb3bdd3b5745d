#pragma once
// Health rules about whether the model learns, and the right thing. Each needs the metrics that its comment names and
// finds nothing without them.

#include "diptych/report/health/health.h"

namespace diptych {

// Supervised training must run longer than this before its loss is judged; reward rules wait as long.
inline constexpr size_t kStepsToJudge = 100;  // docs/metrics.md: rewards of noisy prompts rise over 50 to 100 steps

/** `reward/mean` of the last quarter does not stand out from the first. */
Findings flat_reward(const Curves& curves, const RecipeValues& recipe);

/** `reward/mean` has lost most of what it had gained at its best. */
Findings fallen_reward(const Curves& curves, const RecipeValues& recipe);

/** `reward/mean` rises while `eval/correct_*` falls or stays. */
Findings gamed_reward(const Curves& curves, const RecipeValues& recipe);

/** `eval/correct_*` falls. */
Findings worse_held_out(const Curves& curves, const RecipeValues& recipe);

/** One of `eval/family/` falls far. */
Findings worse_family(const Curves& curves, const RecipeValues& recipe);

/** An evaluation in the middle was better than the last one. */
Findings earlier_was_better(const Curves& curves, const RecipeValues& recipe);

/** `reward/zero_spread_groups` is large. */
Findings no_spread(const Curves& curves, const RecipeValues& recipe);

/** `reward/group_std` shrinks while the reward does not rise. */
Findings lost_spread(const Curves& curves, const RecipeValues& recipe);

/** `reward/masked` is above 0. */
Findings masked_rewards(const Curves& curves, const RecipeValues& recipe);

/** `judge/failed` is above 0, `judge/retries` are many, `judge/latency_p95` comes near the time limit. */
Findings judge_trouble(const Curves& curves, const RecipeValues& recipe);

/** `loss/cross_entropy`, `loss/flow` or `loss/total` does not fall. */
Findings flat_loss(const Curves& curves, const RecipeValues& recipe);

}  // namespace diptych
