#pragma once
// Samples whole conversations: an episode, and the refinements behind it.

#include "diptych/cli/sample/sample_task.h"
#include "diptych/model/folder/folder.h"
#include "diptych/rollout/context.h"

namespace diptych {

/** One stage: what the model was given, and what it made of it. */
struct SampledRound {
  std::string kind;  // of the text: thinking, reflection, review, answer; empty for none
  // Images stand here without their pixels: in the first round they are the task's, in order, then the last painted
  // one.
  std::vector<ContextPart> given;
  std::string text;        // UTF-8
  bool truncated = false;  // the text met the cap
  std::optional<Image> image;
  StageEnd end = StageEnd::painted;
};

struct SampledConversation {
  size_t prompt = 0;   // number of the prompt
  int64_t sample = 0;  // number among the prompt's samples
  std::vector<SampledRound> rounds;
  std::string end;  // painted, answered, stopped, unreadable, cap, right, wrong (docs/commands.md, "sample")
};

/** Samples [sample_begin, sample_end) of each of the prompts [prompt_begin, prompt_end). */
struct SampleRange {
  size_t prompt_begin = 0;
  size_t prompt_end = 0;
  int64_t sample_begin = 0;
  int64_t sample_end = 0;
};

/** The conversations of the range, prompt by prompt. Each depends on the number of its prompt, the seed and the number
 * of the sample, not on the range. */
std::vector<SampledConversation> sample_conversations(const ModelFolder& folder, const SampleTask& task,
                                                      const EpisodeOptions& options, uint64_t seed,
                                                      const SampleRange& range);

/** The image painted last; nothing if there is none. */
const Image* last_image(const SampledConversation& conversation);

}  // namespace diptych
