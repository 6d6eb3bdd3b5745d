#pragma once
// What a rollout produces: plain data, one struct per stage (docs/architecture.md, "The path of one datum").

#include "diptych/reward/candidate.h"
#include "diptych/rollout/image_sampler.h"
#include "diptych/rollout/text_sampler.h"

namespace diptych {

/** What a stage is given, as segments in their order (rollout/context.h), and what is left of it for the branches of
 *  classifier-free guidance. Shared by the group whose members are given the same. */
struct StageContext {
  SegmentChain full;
  SegmentChain text_dropped;   // everything in front of the last text (BAGEL, inferencer.py)
  SegmentChain image_dropped;  // the texts alone
};

/** How a stage ended. */
enum class StageEnd {
  painted,     // with an image
  answered,    // with a text, as its program wants
  stopped,     // the text said that nothing is left to do
  unreadable,  // the text could have said so, but has no form that can be read; no stop, and nothing is painted
};

/** One stage of an episode: a context, and the text and the image sampled behind it. */
struct Stage {
  int64_t prompt = 0;                 // index in the rollout's prompts
  int64_t sample = 0;                 // index in its group
  int64_t round = 0;                  // 0: the first stage of the episode; k: its k-th refinement
  int64_t context = 0;                // index in the rollout's contexts
  std::optional<SampledText> text;    // thinking, reflection or answer
  std::optional<SampledImage> image;  // present if and only if the stage painted
  StageEnd end = StageEnd::painted;
  Guidance guidance;    // of the image
  Candidate candidate;  // texts and pixels only, for the reward
  bool remote = false;  // sampled by another process of the run: no tensors, no context and no pictures
};

/** All stages of one rollout step: round by round, in a round prompt by prompt. The stages of one sample of a prompt
 * are a chain. */
struct Rollout {
  std::vector<StageContext> contexts;
  int64_t prompts = 0;
  DenoiseSchedule schedule;  // shared by all stages, window included
  std::vector<Stage> stages;
};

}  // namespace diptych
