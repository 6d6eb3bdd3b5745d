#include "diptych/base/rng.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/train/prompts/prompt_sources.h"

namespace diptych {

namespace {

TaskPrompt shapes_prompt(uint64_t number, uint64_t seed) {
  const std::vector<std::string>& families = shapes::all_families();
  Stream stream({.seed = seed, .purpose = Purpose::prompt_order, .prompt = number});
  return shapes_task(shapes::sample_prompt(stream, shapes::Split::train, {families[number % families.size()]}));
}

PromptStream shapes_prompts(const PromptsConfig& config, uint64_t seed) {
  return numbered_prompts(config, [seed](uint64_t number) { return shapes_prompt(number, seed); });
}

TaskPrompt first_shapes_prompt(const PromptsConfig&, uint64_t seed) {
  return shapes_prompt(0, seed);
}

}  // namespace

/** The shapes world's training prompts: its families in turn, uniform within each. */
std::vector<PromptSource> shapes_source() {
  return {{.order = 10,
           .name = "shapes",
           .comment = "the built-in world's training prompts",
           .stream = shapes_prompts,
           .first = first_shapes_prompt}};
}

}  // namespace diptych
