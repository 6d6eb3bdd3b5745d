#pragma once
// One rollout's worth of learning: old values, reference values, the ratio gates, and the optimizer steps.

#include <functional>

#include "diptych/train/optimizer/trained_policy.h"
#include "diptych/train/recipe/rl_config.h"
#include "diptych/train/update/joint_loss.h"

namespace diptych {

/** The recipe's choices as the loss functions want them. */
struct UpdateOptions {
  JointLossOptions loss;
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
  bool needs_reference = false;
};

/** What the recipe trains, and how. */
PolicyOptions policy_options(const RlRecipe& recipe);

/** latent_elements: tokens * channels of one image. */
UpdateOptions update_options(const RlRecipe& recipe, const EpisodeOptions& episode, int64_t latent_elements);

struct GateReport {
  double text_mean = 0;  // mean |log-prob of replay - of sampler|
  double text_max = 0;
  double tokens = 0;     // compared
  double image_max = 0;  // largest RMS(change of the mean) / sqrt(D), in image clips
};

struct UpdateReport {
  double text_loss = 0, image_loss = 0, velocity_mse = 0, latent_kl = 0, text_kl = 0;  // of the last update
  RatioStatistics text_ratios, image_ratios;                                           // of the last update
  double first_text_ratio = 0;   // max |log ratio| of the first update (gate A)
  double first_image_ratio = 0;  // the same in image clips
  std::vector<GroupStepReport> groups;
  int64_t applied = 0;  // updates
  int64_t skipped = 0;  // updates refused because something was not finite
  double flops = 0;     // of all forward and backward passes with gradient, counted as 3 forwards
};

/** Those of the stages that this process sampled. */
std::vector<size_t> own_stages(const Rollout& rollout, std::vector<size_t> stages);

/** Values of the policy for those of the stages that this process sampled and that train, in the packs of the update,
 *  without gradient; indexed by stage number, empty for all others. */
std::vector<StageValues> replay_values(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& stages,
                                       const UpdateOptions& options);

/** What the sampler recorded, as old values. */
std::vector<StageValues> sampler_values(const Rollout& rollout);

/** Gate B: replay against sampler. Throws Error(numerics) that says where, beyond the tolerances. */
GateReport check_replay(const Rollout& rollout, const std::vector<size_t>& stages,
                        const std::vector<StageValues>& replayed, const UpdateOptions& options);

/** All updates of a rollout. `contributing`: stages whose group has a spread; those without anything that trains are
 *  left out here. `advantages` by stage number. Old values are fixed before the first update. Gate A is checked on the
 *  first update. `learning_rate_scale` is asked ahead of every update, since warm-up counts updates. */
UpdateReport update_policy(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& contributing,
                           const std::vector<double>& advantages, const std::vector<StageValues>& reference,
                           const UpdateOptions& options, TrainedPolicy& policy,
                           const std::function<double()>& learning_rate_scale, GateReport& gate);

}  // namespace diptych
