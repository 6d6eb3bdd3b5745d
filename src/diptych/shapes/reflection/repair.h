#pragma once
// What to change in a scene that is not what was asked for.

#include <vector>

#include "diptych/base/rng.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/world/request.h"

namespace diptych::shapes {

/** As few edits as possible after which the scene fulfils the request, applied one after the other; empty if it does
 *  already. Objects are recoloured rather than replaced, replaced rather than removed and added, and moved only if all
 *  of them are right. The stream chooses among equals, and colours and shapes that the request leaves open. Throws
 *  Error(data) for a request that no scene of this world fulfils. */
std::vector<Edit> repairs(const Scene& scene, const Request& request, const World& world, Stream& stream);

/** All edits, one after the other; those that are not applicable to what the earlier ones left are skipped. */
Scene apply_edits(const std::vector<Edit>& edits, const Scene& scene, const World& world, Stream& stream);

}  // namespace diptych::shapes
