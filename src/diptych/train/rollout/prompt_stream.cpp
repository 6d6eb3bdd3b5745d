#include "diptych/train/rollout/prompt_stream.h"

#include <numeric>

#include "diptych/base/error.h"
#include "diptych/base/rng.h"
#include "diptych/data/prompt_file.h"
#include "diptych/reward/shapes_task.h"

namespace diptych {

namespace {

TaskPrompt shapes_prompt(uint64_t number, uint64_t seed) {
  const std::vector<std::string>& families = shapes::all_families();
  Stream stream({.seed = seed, .purpose = Purpose::prompt_order, .prompt = number});
  return shapes_task(shapes::sample_prompt(stream, shapes::Split::train, {families[number % families.size()]}));
}

TaskPrompt edit_prompt(uint64_t number, uint64_t seed) {
  const shapes::World world;
  Stream stream({.seed = seed, .purpose = Purpose::prompt_order, .prompt = number});
  const auto kind = static_cast<shapes::EditKind>(number % shapes::kEditKindNames.size());
  return edit_task(shapes::sample_edit(stream, shapes::Split::train, kind, world), world);
}

std::vector<size_t> permutation(size_t count, uint64_t seed, uint64_t pass) {
  std::vector<size_t> order(count);
  std::iota(order.begin(), order.end(), size_t{0});
  Stream stream({.seed = seed, .purpose = Purpose::prompt_order, .step = pass});
  for (size_t i = count; i > 1; --i) std::swap(order[i - 1], order[stream.below(i)]);
  return order;
}

std::vector<TaskPrompt> prompts_of_file(const PromptsConfig& config) {
  if (config.path.empty())
    throw Error(ExitCode::config, {"prompts.path", "a prompts file, since prompts.source is \"file\"", "nothing",
                                   "one prompt a line (.txt) or JSON lines; see docs/data.md"});
  std::vector<TaskPrompt> all;
  for (const PromptRecord& record : read_prompts(config.path)) {
    TaskPrompt prompt;
    prompt.text = record.text;
    prompt.questions = record.questions;
    prompt.metadata = record.metadata;
    all.push_back(std::move(prompt));
  }
  return all;
}

}  // namespace

TaskPrompt first_prompt(const PromptsConfig& config, uint64_t seed) {
  return config.source == "file" ? prompts_of_file(config).front() : make_prompt_stream(config, seed)(0).front();
}

PromptStream make_prompt_stream(const PromptsConfig& config, uint64_t seed) {
  const auto count = static_cast<uint64_t>(config.per_step);
  if (config.source == "shapes") {
    return [count, seed](uint64_t step) {
      std::vector<TaskPrompt> prompts;
      for (uint64_t i = 0; i < count; ++i) prompts.push_back(shapes_prompt(step * count + i, seed));
      return prompts;
    };
  }
  if (config.source == "shapes_edits") {
    return [count, seed](uint64_t step) {
      std::vector<TaskPrompt> prompts;
      for (uint64_t i = 0; i < count; ++i) prompts.push_back(edit_prompt(step * count + i, seed));
      return prompts;
    };
  }
  std::vector<TaskPrompt> all = prompts_of_file(config);
  return [all = std::move(all), count, seed](uint64_t step) {
    std::vector<TaskPrompt> prompts;
    std::vector<size_t> order;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t number = step * count + i;
      if (order.empty() || number % all.size() == 0) order = permutation(all.size(), seed, number / all.size());
      prompts.push_back(all[order[number % all.size()]]);
    }
    return prompts;
  };
}

}  // namespace diptych
