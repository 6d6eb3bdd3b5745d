#pragma once
// Health rules about updates: ratios, gates, distance from the start, gradients, time. Each needs the metrics that its
// comment names and finds nothing without them.

#include "diptych/report/health/health.h"

namespace diptych {

/** `gate/first_*_ratio` is not 0. */
Findings first_ratio(const Curves& curves, const RecipeValues& recipe);

/** `gate/text_max` or `gate/image_max` comes near its tolerance. */
Findings gate_margin(const Curves& curves, const RecipeValues& recipe);

/** The shares under `clip/` are large. */
Findings much_clipping(const Curves& curves, const RecipeValues& recipe);

/** With several updates per rollout no ratio meets the clip. */
Findings idle_clip(const Curves& curves, const RecipeValues& recipe);

/** `ratio/text_max_abs_log` is large. */
Findings far_ratio(const Curves& curves, const RecipeValues& recipe);

/** `loss/text_kl` is large or grows fast. */
Findings text_drift(const Curves& curves, const RecipeValues& recipe);

/** `loss/velocity_mse` or `loss/latent_kl` grows fast. */
Findings image_drift(const Curves& curves, const RecipeValues& recipe);

/** `update/skipped` is above 0. */
Findings skipped_updates(const Curves& curves, const RecipeValues& recipe);

/** `update/applied` is 0 in many steps. */
Findings idle_updates(const Curves& curves, const RecipeValues& recipe);

/** `grad_norm*` has peaks. */
Findings gradient_spikes(const Curves& curves, const RecipeValues& recipe);

/** `grad_norm*` is clipped all the time. */
Findings clipped_gradients(const Curves& curves, const RecipeValues& recipe);

/** `grad_norm*` is 0. */
Findings no_gradient(const Curves& curves, const RecipeValues& recipe);

/** `update/below_epsilon_share_*` is large. */
Findings below_epsilon(const Curves& curves, const RecipeValues& recipe);

/** `update/changed_share_*` is small. */
Findings unchanged_weights(const Curves& curves, const RecipeValues& recipe);

/** Any metric was not finite. */
Findings not_finite(const Curves& curves, const RecipeValues& recipe);

/** `time/step` jumps. */
Findings slow_steps(const Curves& curves, const RecipeValues& recipe);

}  // namespace diptych
