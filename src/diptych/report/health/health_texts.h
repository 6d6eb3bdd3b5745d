#pragma once
// Health rules about thoughts, reflections and refinement. Each needs the metrics that its comment names and finds
// nothing without them.

#include "diptych/report/health/health.h"

namespace diptych {

/** `think/length` or `reflection/length` shrinks. */
Findings shorter_texts(const Curves& curves, const RecipeValues& recipe);

/** `think/length` or `reflection/length` grows, or many are cut. */
Findings longer_texts(const Curves& curves, const RecipeValues& recipe);

/** `think/well_formed` or `reflection/well_formed` is low. */
Findings lost_form(const Curves& curves, const RecipeValues& recipe);

/** `eval/refined_correct` falls. */
Findings wrong_thoughts(const Curves& curves, const RecipeValues& recipe);

/** `refine/worsened` is above `refine/improved`, `rounds/last_score` below `rounds/first_score`, or
 *  `eval/refine/after` below `eval/refine/before`. */
Findings spoiling_refinement(const Curves& curves, const RecipeValues& recipe);

/** `refine/improved` is low. */
Findings failing_refinement(const Curves& curves, const RecipeValues& recipe);

/** Most of `rounds/stops` are `rounds/false_stops`. */
Findings false_stops(const Curves& curves, const RecipeValues& recipe);

/** `rounds/refinements` is 0, or as large as it can be. */
Findings one_sided_stops(const Curves& curves, const RecipeValues& recipe);

}  // namespace diptych
