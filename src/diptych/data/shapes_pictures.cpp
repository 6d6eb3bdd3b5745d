#include "diptych/data/example.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/random_scene.h"
#include "diptych/shapes/world/render.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych {

ExampleSource shapes_pictures(const shapes::World& world, uint64_t seed) {
  return [world, seed](uint64_t step, uint64_t index) {
    Stream stream({.seed = seed, .purpose = Purpose::data, .step = step, .sample = index});
    const shapes::Scene scene =
        stream.below(2) == 0
            ? shapes::random_scene(world, stream)
            : shapes::sample_scene(shapes::sample_prompt(stream, shapes::Split::train, shapes::all_families()).request,
                                   world, stream);
    SupervisedExample example;
    example.image = shapes::render(scene, world);
    return example;
  };
}

}  // namespace diptych
