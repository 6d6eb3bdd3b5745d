#pragma once
// What a recipe says about updates, as they want it.

#include "diptych/train/optimizer/trained_policy.h"
#include "diptych/train/recipe/rl_config.h"

namespace diptych {

struct UpdateOptions {
  LossOptions loss;
  ReplayOptions replay;
  double geometry_factor = 1;  // already multiplied into image clip and velocity-MSE weight
  double gate_text = 0;
  // The mean over tokens is compared, not the largest: in bfloat16 one token may differ by the rounding of its logit.
  bool gate_text_mean = false;
  double gate_image = 0;
  int64_t mini_batches = 1;
  int64_t epochs = 1;
  int64_t chains_per_pack = 32;
  bool old_from_rollout = false;
};

/** What the recipe trains, and how. */
PolicyOptions policy_options(const RlRecipe& recipe);

/** latent_elements: tokens * channels of one image. */
UpdateOptions update_options(const RlRecipe& recipe, const EpisodeOptions& episode, int64_t latent_elements);

}  // namespace diptych
