#pragma once
// The sampling section of recipes, shared by supervised and reinforcement training.

#include "diptych/base/config.h"
#include "diptych/rollout/episode.h"

namespace diptych {

struct RolloutConfig {
  bool think = true;
  std::string system_prompt = "none";
  int64_t max_think_tokens = 1024;
  double temperature = 1;
  double top_p = 1;
  int64_t top_k = 0;
  int64_t image_size = 1024;
  int64_t updates = 25;
  bool updates_are_points = false;
  double timestep_shift = 3;
  double noise_level = 0.8;
  std::vector<int64_t> window_range = {0, 5};
  int64_t window_size = 3;
  double guidance = 1;
  int64_t chains_per_pack = 128;
};

template <class Fields>
void visit(Fields& fields, RolloutConfig& rollout) {
  fields("think", rollout.think, "think before painting");
  fields("system_prompt", rollout.system_prompt,
         "none, bagel (BAGEL's own think prompt), or the text itself; only in front of prompts that think");
  fields.range("max_think_tokens", rollout.max_think_tokens, 1, 1000000, "cap of the sampled thought");
  fields.range("temperature", rollout.temperature, 0, 100, "of the sampled thought; 0 takes the most probable token");
  fields.range("top_p", rollout.top_p, 0, 1,
               "1: all tokens. Training wants 1: log-probabilities are of the whole vocabulary");
  fields.range("top_k", rollout.top_k, 0, 1000000, "0: all tokens");
  fields.range("image_size", rollout.image_size, 1, 65536, "pixels per side");
  fields.range("updates", rollout.updates, 1, 1000, "denoising updates of a training rollout");
  fields("updates_are_points", rollout.updates_are_points,
         "read `updates` as grid points, as BAGEL does: N points are N - 1 updates");
  fields.range("timestep_shift", rollout.timestep_shift, 1e-3, 1e3, "shift of the flow times");
  fields.range("noise_level", rollout.noise_level, 0, 10, "a in sigma = a sqrt(t / (1 - t))");
  fields("window_range", rollout.window_range, "the SDE window lies in [low, high) of the updates");
  fields.range("window_size", rollout.window_size, 1, 1000, "stochastic, trained updates; one window per rollout step");
  fields.range("guidance", rollout.guidance, 1, 100, "classifier-free guidance in rollout and loss; 1: none");
  fields.range("chains_per_pack", rollout.chains_per_pack, 1, 1000000,
               "chains sampled together; changes memory and speed, not results");
}

/** Episode options with an empty window: `updates` Euler steps unless the caller sets one. `updates` 0 takes the
 *  config's. Throws Error(config) for a window that does not fit. */
EpisodeOptions episode_options(const RolloutConfig& config, int64_t updates);

}  // namespace diptych
