#pragma once
// The prompts of each rollout step, addressed. Each source of prompts is a file, NAME_source.cpp; cmake/list.cmake
// collects them.

#include "diptych/reward/task.h"
#include "diptych/train/prompts/prompts_config.h"

namespace diptych {

/** Prompts of step `step`: a pure function of (seed, step). */
using PromptStream = std::function<std::vector<TaskPrompt>(uint64_t step)>;

/** Where prompts come from. */
struct PromptSource {
  int order = 0;             // its place in messages
  std::string name;          // of prompts.source
  std::string comment = {};  // beside the key prompts.source; empty where that of prompts.path says it
  /** What prompts are called that are not the shapes world's: its verifier does not know them, and its evaluations are
   *  not about them. Empty for the world's own. */
  std::string foreign = {};
  bool edits = false;  // a prompt comes with an image to edit
  /** Throws Error(config) for keys of the section that lack what this source needs, Error(data) for what they name. */
  PromptStream (*stream)(const PromptsConfig& config, uint64_t seed);
  /** What a program that scores is tried on. Throws as `stream` does. */
  TaskPrompt (*first)(const PromptsConfig& config, uint64_t seed);
};

/** All sources, in their order. */
const std::vector<PromptSource>& prompt_sources();

/** Throws Error(config) for a name that no source has. */
const PromptSource& prompt_source(const std::string& name);

/** The prompts of the section's source. Throws as PromptSource::stream does. */
PromptStream make_prompt_stream(const PromptsConfig& config, uint64_t seed);

/** A prompt such as the run's: the first one of the file, else of the run. Throws as make_prompt_stream does. */
TaskPrompt first_prompt(const PromptsConfig& config, uint64_t seed);

/** For sources that make each prompt by its number, counted over the run. */
PromptStream numbered_prompts(const PromptsConfig& config, const std::function<TaskPrompt(uint64_t number)>& prompt);

/** The entries of all files of this folder. */
std::vector<PromptSource> listed_prompt_sources();

}  // namespace diptych
