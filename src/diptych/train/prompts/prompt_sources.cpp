#include "diptych/train/prompts/prompt_sources.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

const PromptSource& prompt_source(const std::string& name) {
  std::vector<std::string> names;
  for (const PromptSource& source : prompt_sources()) {
    if (source.name == name) return source;
    names.push_back(source.name);
  }
  throw Error(ExitCode::config, {"prompts.source", "one of " + join(names, ", "), "'" + name + "'", ""});
}

PromptStream make_prompt_stream(const PromptsConfig& config, uint64_t seed) {
  return prompt_source(config.source).stream(config, seed);
}

TaskPrompt first_prompt(const PromptsConfig& config, uint64_t seed) {
  return prompt_source(config.source).first(config, seed);
}

PromptStream numbered_prompts(const PromptsConfig& config, const std::function<TaskPrompt(uint64_t number)>& prompt) {
  return [count = static_cast<uint64_t>(config.per_step), prompt](uint64_t step) {
    std::vector<TaskPrompt> prompts;
    for (uint64_t i = 0; i < count; ++i) prompts.push_back(prompt(step * count + i));
    return prompts;
  };
}

}  // namespace diptych
