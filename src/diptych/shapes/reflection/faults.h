#pragma once
// Scenes that are almost what was asked for.

#include "diptych/base/rng.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/scene.h"

namespace diptych::shapes {

/** The scene with one random fault: an object is missing, extra, doubled, of another colour or shape, or all objects
 *  stand elsewhere. Every fault is equally likely among those that the scene has room for. */
Scene with_fault(const Scene& scene, const World& world, Stream& stream);

/** A scene that fails the prompt: two times in five it shows the prompt misread as thinking misreads it
 *  (possible_traces), otherwise one or two faults in what the prompt asks for. Never without any object. */
Scene sample_wrong_scene(const Prompt& prompt, const World& world, Stream& stream);

}  // namespace diptych::shapes
