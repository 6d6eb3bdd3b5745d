#pragma once
// The prompts of each rollout step, addressed.

#include "diptych/reward/task.h"
#include "diptych/train/recipe/rl_config.h"

namespace diptych {

/** Prompts of step `step`: a pure function of (seed, step). */
using PromptStream = std::function<std::vector<TaskPrompt>(uint64_t step)>;

/** shapes: families in turn, uniform within. file: a fresh permutation of the file each pass. Throws Error(data) for a
 *  missing or empty file. */
PromptStream make_prompt_stream(const PromptsConfig& config, uint64_t seed);

/** The first prompt of the file, else that of the run. Throws what make_prompt_stream throws. */
TaskPrompt first_prompt(const PromptsConfig& config, uint64_t seed);

}  // namespace diptych
