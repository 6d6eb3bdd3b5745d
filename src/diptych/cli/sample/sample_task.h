#pragma once
// What one call of `diptych sample` does, from its command line.

#include "diptych/cli/sample/sample_arguments.h"
#include "diptych/io/image/pixel_size.h"
#include "diptych/reward/task.h"
#include "diptych/rollout/episode.h"
#include "diptych/text/tokenizer.h"

namespace diptych {

struct SampleTask {
  std::vector<TaskPrompt> prompts;
  std::vector<Image> images;  // go with every prompt
  EpisodeProgram program;
  std::string refine;  // none, or a mode of eval/refinement.h
  int64_t refine_rounds = 0;
  std::optional<PixelSize> size;  // of what is painted, if it was asked for
};

/** Reads prompts and images and checks that they go with the episode. Throws Error(usage) for options that do not go
 *  together and Error(data) or Error(io) for files. */
SampleTask sample_task(const SampleArguments& arguments);

/** Whether any stage looks at an image, refinements included. */
bool looks_at_images(const SampleTask& task);

/** Such as "think, then 2 rounds of refinement in mode self": names what was done in every output. */
std::string task_name(const SampleTask& task);

/** Logs which prompts are so long that reading them takes noticeable time. Throws Error(data) for one of more than
 * 32768 tokens, which is also what `serve` takes by default: the time grows with the square of the length. */
void check_prompt_lengths(const SampleTask& task, const Tokenizer& tokenizer);

/** The options of the episode on a model of this size. Throws Error(usage) for an image size that does not fit. */
EpisodeOptions sample_options(const SampleArguments& arguments, const SampleTask& task, const ModelConfig& model);

}  // namespace diptych
