#pragma once
// The episode prompt -> [thinking] -> image, for whole groups at once.

#include "diptych/model/folder.h"
#include "diptych/rollout/trajectory.h"

namespace diptych {

struct EpisodeOptions {
  bool think = true;
  std::string system_prompt;  // in front of every prompt; may be empty
  TextSampling text;
  DenoiseSchedule schedule;
  Guidance guidance;
  int64_t image_height = 0;  // pixels; multiples of the latent token's size
  int64_t image_width = 0;
  int64_t chains_per_pack = 128;  // sampled together; changes memory and speed, not results
};

/** A prompt and where its draws are addressed: `occurrence` numbers the prompts of a run. */
struct EpisodePrompt {
  std::string text;
  uint64_t occurrence = 0;
};

/** Samples `group_size` chains per prompt. The prompt is prefilled once per group. Every draw is addressed by (seed,
 * step, occurrence, sample, position), so results do not depend on chains_per_pack. Throws Error(config) if the image
 * size does not fit the model. */
Rollout roll_out(const Bagel& model, const Tokenizer& tokenizer, const std::vector<EpisodePrompt>& prompts,
                 int64_t group_size, const EpisodeOptions& options, uint64_t seed, uint64_t step);

}  // namespace diptych
