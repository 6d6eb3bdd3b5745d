#pragma once
// Random scenes that fulfil a request.

#include "diptych/base/rng.h"
#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

/** A scene with exactly the requested objects, in the order of the clauses, in cells drawn without replacement. Shapes
 *  and colours that the request leaves open are drawn for every object apart, such that no object answers to two
 *  clauses. Objects of a position lie in one row (left_of, right_of) or one column (above, below), which satisfies
 *  GenEval's rule of relative position. Throws Error(data) for a request that no scene of this world fulfils. */
Scene sample_scene(const Request& request, const World& world, Stream& stream);

}  // namespace diptych::shapes
