#pragma once
// Scenes that nobody asked for: any objects, sizes and backgrounds.

#include "diptych/base/rng.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

/** One to four objects (at most one a cell) of uniform shapes and colours, in cells drawn without replacement; each is
 *  small with probability 0.25. The background is plain with probability 0.6, else one of the others. */
Scene random_scene(const World& world, Stream& stream);

}  // namespace diptych::shapes
