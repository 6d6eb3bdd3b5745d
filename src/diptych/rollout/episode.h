#pragma once
// Runs episodes (rollout/program.h) for whole groups at once.

#include "diptych/model/folder/folder.h"
#include "diptych/rollout/program.h"
#include "diptych/rollout/stage.h"

namespace diptych {

struct EpisodeOptions {
  EpisodeProgram program = {};
  std::string system_prompt = {};      // in front of stages that think; may be empty
  std::string reflection_prompt = {};  // with {prompt} where the request goes
  std::string review_prompt = {};      // the same
  std::string stop_answer = "done";    // what a text answers behind its thinking to stop
  TextSampling text = {};
  DenoiseSchedule schedule = {};
  Guidance guidance = {};       // of images without an image in their context
  Guidance edit_guidance = {};  // of the others
  int64_t image_height = 0;     // pixels; multiples of the latent token's size
  int64_t image_width = 0;
  int64_t chains_per_pack = 128;  // stages that are sampled together, at most; changes memory and speed, not results
  int64_t first_round = 0;        // number of the first stage's round, for the addresses of its draws
  int64_t first_sample = 0;       // the same of each group's first sample
  std::function<void()> pack_done = {};  // called after each pack, from the threads that sample; may throw to give up
};

/** A prompt and where its draws are addressed: `occurrence` numbers the prompts of a run. */
struct EpisodePrompt {
  std::string text;
  uint64_t occurrence = 0;
  std::vector<Image> sources = {};
};

/** Called with a range of finished stages [begin, end) of the rollout, so that rewards can start while sampling goes
 *  on: ranges in any order, from the threads that sample. */
using StagesDone = std::function<void(const Rollout& rollout, size_t begin, size_t end)>;

/** Which episodes to sample: `group_size` of each prompt. */
struct RolloutRequest {
  std::vector<EpisodePrompt> prompts;
  int64_t group_size = 1;
  EpisodeOptions options;
  uint64_t seed = 0;
  uint64_t step = 0;
  StagesDone done = {};
};

/** Samples the episodes of the request. A context is prefilled once per group. Every draw is addressed by (seed, step,
 *  occurrence, sample, round and position), so results do not depend on chains_per_pack. Throws Error(config) if the
 *  image size does not fit the model. */
Rollout roll_out(const Bagel& model, const Tokenizer& tokenizer, const RolloutRequest& request);

/** What a text of a stage that may stop does: it stops if it is well-formed and its answer is the stop answer, it goes
 *  on to paint with any other answer, and it is unreadable if it is not well-formed or has none. */
StageEnd end_of_review(const std::string& text, const std::string& stop_answer);

}  // namespace diptych
