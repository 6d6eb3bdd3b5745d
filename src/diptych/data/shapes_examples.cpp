#include "diptych/data/example.h"
#include "diptych/shapes/render.h"
#include "diptych/shapes/sample_scene.h"
#include "diptych/shapes/thinking.h"

namespace diptych {

namespace {

std::vector<std::string> all_families() {
  std::vector<std::string> names = shapes::families(false);
  for (const std::string& name : shapes::families(true)) names.push_back(name);
  return names;
}

}  // namespace

ExampleSource shapes_examples(const shapes::World& world, double think_share, uint64_t seed) {
  const std::vector<std::string> names = all_families();
  return [world, think_share, seed, names](uint64_t step, uint64_t index) {
    Stream stream({.seed = seed, .purpose = Purpose::data, .step = step, .sample = index});
    const shapes::Prompt& prompt = shapes::sample_prompt(stream, shapes::Split::train, names);
    SupervisedExample example;
    example.prompt = prompt.text;
    shapes::Request shown = prompt.request;
    if (stream.uniform() < think_share) {
      const shapes::Trace trace = shapes::sample_trace(prompt, stream);
      example.thinking = trace.text;
      shown = trace.request;
    }
    example.image = shapes::render(shapes::sample_scene(shown, world, stream), world);
    return example;
  };
}

}  // namespace diptych
