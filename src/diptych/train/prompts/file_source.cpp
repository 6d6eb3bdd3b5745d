#include <numeric>

#include "diptych/base/error.h"
#include "diptych/base/rng.h"
#include "diptych/data/prompt_file.h"
#include "diptych/train/prompts/prompt_sources.h"

namespace diptych {

namespace {

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

PromptStream file_prompts(const PromptsConfig& config, uint64_t seed) {
  const auto count = static_cast<uint64_t>(config.per_step);
  return [all = prompts_of_file(config), count, seed](uint64_t step) {
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

TaskPrompt first_file_prompt(const PromptsConfig& config, uint64_t) {
  return prompts_of_file(config).front();
}

}  // namespace

/** The prompts of a file, in a fresh permutation each pass. */
std::vector<PromptSource> file_source() {
  return {{.order = 30,
           .name = "file",
           .foreign = "prompts from a file",
           .stream = file_prompts,
           .first = first_file_prompt}};
}

}  // namespace diptych
