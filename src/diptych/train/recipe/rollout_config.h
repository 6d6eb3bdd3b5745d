#pragma once
// The sampling section of recipes, shared by supervised and reinforcement training.

#include "diptych/base/config/config.h"
#include "diptych/model/config/model_config.h"
#include "diptych/rollout/episode.h"
#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** Classifier-free guidance of one kind of image. */
struct GuidanceConfig {
  double text_scale = 1;
  double image_scale = 1;
  std::vector<double> interval = {0, 1};
  std::string renorm = "global";
  double renorm_min = 0;
};

inline void visit(ConfigFields& fields, GuidanceConfig& guidance) {
  fields.range("text_scale", guidance.text_scale, 1, 100, "scale against the context without the request; 1: none",
               Change::recorded);
  fields.range("image_scale", guidance.image_scale, 1, 100,
               "scale against the context without images; 1: none. Acts only together with the text scale",
               Change::recorded);
  fields("interval", guidance.interval, "guidance acts at flow times t with low < t <= high", Change::recorded);
  fields.choice("renorm", guidance.renorm, {"global", "channel", "text_channel"},
                "norm that the guided velocity is scaled back to: of an image, of a token, of a token after text "
                "guidance only",
                Change::recorded);
  fields.range("renorm_min", guidance.renorm_min, 0, 1, "smallest factor of that; 1: no renormalisation",
               Change::recorded);
}

struct RolloutConfig {
  std::string episode = "think";
  std::string system_prompt = "none";
  std::string reflection_prompt = "shapes";
  std::string review_prompt = "shapes";
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
  GuidanceConfig guidance;
  GuidanceConfig edit_guidance;
  int64_t chains_per_pack = 128;
};

inline void visit(ConfigFields& fields, RolloutConfig& rollout) {
  fields("episode", rollout.episode, episode_comment());
  fields("system_prompt", rollout.system_prompt,
         "none, bagel (BAGEL's own think prompt), or the text itself; only in front of stages that think",
         Change::recorded);
  fields("reflection_prompt", rollout.reflection_prompt,
         "shapes, bagel, or the text itself, with {prompt} for the request: says that the picture failed",
         Change::recorded);
  fields("review_prompt", rollout.review_prompt, "the same: asks to check the picture, and to repair it or to stop",
         Change::recorded);
  fields.range("max_think_tokens", rollout.max_think_tokens, 1, 1000000, "cap of the sampled thought",
               Change::recorded);
  fields.range("temperature", rollout.temperature, 0, 100, "of the sampled thought; 0 takes the most probable token",
               Change::recorded);
  fields.range("top_p", rollout.top_p, 0, 1,
               "1: all tokens. Training wants 1: log-probabilities are of the whole vocabulary", Change::recorded);
  fields.range("top_k", rollout.top_k, 0, 1000000, "0: all tokens", Change::recorded);
  fields.range("image_size", rollout.image_size, 1, 65536, "pixels per side");
  fields.range("updates", rollout.updates, 1, 1000, "denoising updates of a training rollout", Change::recorded);
  fields("updates_are_points", rollout.updates_are_points,
         "read `updates` as grid points, as BAGEL does: N points are N - 1 updates", Change::recorded);
  fields.range("timestep_shift", rollout.timestep_shift, 1e-3, 1e3, "shift of the flow times", Change::recorded);
  fields.range("noise_level", rollout.noise_level, 0, 10, "a in sigma = a sqrt(t / (1 - t))", Change::recorded);
  fields("window_range", rollout.window_range, "the SDE window lies in [low, high) of the updates", Change::recorded);
  fields.range("window_size", rollout.window_size, 1, 1000, "stochastic, trained updates; one window per rollout step",
               Change::recorded);
  fields.range("chains_per_pack", rollout.chains_per_pack, 1, 1000000,
               "chains sampled together, at most; changes memory and speed, not results", Change::free);
  fields.section("guidance", rollout.guidance);
  fields.section("edit_guidance", rollout.edit_guidance);
}

/** Throws Error(config) for a window that does not fit, and for other keys that rule each other out. */
void check(const RolloutConfig& rollout);

/** Episode options with an empty window: `updates` Euler steps unless the caller sets one. `updates` 0 takes the
 *  config's. Throws what `check` throws, and Error(config) for too few updates. */
EpisodeOptions episode_options(const RolloutConfig& config, int64_t updates);

/** Throws Error(config) for an image size that the model cannot paint. */
void check_image_size(const RolloutConfig& config, const ModelConfig& model);

}  // namespace diptych
