#pragma once
// What a rollout produces: plain data, one struct per stage (docs/architecture.md, "The path of one datum").

#include "diptych/reward/candidate.h"
#include "diptych/rollout/image_sampler.h"
#include "diptych/rollout/text_sampler.h"

namespace diptych {

/** One chain prompt -> thinking -> image. */
struct Trajectory {
  int64_t prompt = 0;  // index in the rollout's prompts
  int64_t sample = 0;  // index in its group
  std::optional<SampledText> thinking;
  SampledImage image;
  Candidate candidate;  // texts and pixels only, for the reward
};

/** All chains of one rollout step, prompt-major: chain i belongs to prompt i / group_size. */
struct Rollout {
  std::vector<std::vector<int64_t>> prompt_ids;  // per prompt, markers included
  int64_t group_size = 0;
  DenoiseSchedule schedule;  // shared by all chains, window included
  std::vector<Trajectory> chains;
};

}  // namespace diptych
