#include "diptych/base/rng.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/train/prompts/prompt_sources.h"

namespace diptych {

namespace {

TaskPrompt edit_prompt(uint64_t number, uint64_t seed) {
  const shapes::World world;
  Stream stream({.seed = seed, .purpose = Purpose::prompt_order, .prompt = number});
  const auto kind = static_cast<shapes::EditKind>(number % shapes::kEditKindNames.size());
  return edit_task(shapes::sample_edit(stream, shapes::Split::train, kind, world), world);
}

PromptStream edit_prompts(const PromptsConfig& config, uint64_t seed) {
  return numbered_prompts(config, [seed](uint64_t number) { return edit_prompt(number, seed); });
}

TaskPrompt first_edit_prompt(const PromptsConfig&, uint64_t seed) {
  return edit_prompt(0, seed);
}

}  // namespace

/** The shapes world's edit instructions, each with its picture: kinds in turn, uniform within each. */
std::vector<PromptSource> shapes_edits_source() {
  return {{.order = 20,
           .name = "shapes_edits",
           .comment = "its edit instructions",
           .edits = true,
           .stream = edit_prompts,
           .first = first_edit_prompt}};
}

}  // namespace diptych
