#pragma once
// The UniGRPO loss of a set of stages: text policy, image policy, velocity penalty, from one replay of the policy.

#include "diptych/algorithm/image_loss.h"
#include "diptych/algorithm/text_loss.h"
#include "diptych/rollout/replay.h"

namespace diptych {

/** What a policy says about one stored stage, without gradient; in the host's memory. */
struct StageValues {
  Tensor logprobs;    // [actions], float32; undefined without a sampled text
  Tensor velocities;  // [window, tokens, channels]; undefined without a sampled image or a window
};

/** Per-stage values of a replay, detached, in the order of its stages. */
std::vector<StageValues> stage_values(const Rollout& rollout, const std::vector<size_t>& stages,
                                      const ReplayOutput& output);

struct JointLossOptions {
  double text_weight = 1;   // of the text policy loss
  double image_weight = 1;  // lambda of UniGRPO Eq. 7
  double velocity_mse_weight = 0;
  double latent_kl_weight = 0;
  double text_kl_weight = 0;
  ClipRange text_clip{0.2, 0.2};
  ClipRange image_clip{1e-6, 1e-6};
  TokenAggregation aggregation = TokenAggregation::sequence_mean;
  bool sequence_ratio = false;       // GSPO: one ratio a text, in place of one a token
  double text_advantage_clamp = 0;   // largest |advantage| of the text loss; 0: no limit
  double image_advantage_clamp = 0;  // the same of the image loss
  bool ratio_norm = true;
  bool inverse_dt = false;  // weight steps by 1/|dt|, normalised to mean 1 over the window
};

/** Denominators of the whole optimizer step, so that micro-batches add up to one batch exactly. */
struct JointDenominators {
  int64_t images = 0;
  TextDenominators text;
};

struct JointLoss {
  Tensor total;  // scalar with gradient
  // Scalars without gradient, unweighted; 0 where the part is absent.
  double text = 0;
  double image = 0;
  double velocity_mse = 0;
  double latent_kl = 0;
  double text_kl = 0;
  RatioStatistics text_ratios;
  RatioStatistics image_ratios;
};

/** L = text_weight L_text + image_weight L_image + velocity_mse_weight L_mse [+ latent KL, text KL] over the stages of
 *  the replay (UniGRPO Eq. 2, 6, 7, 8). `now`: the replay with gradient. old, reference, advantages: indexed by the
 *  number of the stage in the rollout; `reference` may be empty where no penalty has a weight. A policy loss of weight
 * 0 is not computed, nor its ratios; with noise level 0 no latent KL. The image log-ratio is computed from the implied
 * noise and the change of the mean, never as a difference of log-probabilities. */
JointLoss joint_loss(const Rollout& rollout, const std::vector<size_t>& stages, const ReplayOutput& now,
                     const std::vector<StageValues>& old, const std::vector<StageValues>& reference,
                     const std::vector<double>& advantages, const JointLossOptions& options,
                     const JointDenominators& denominators);

/** Statistics of two sets of ratios together. */
void merge_ratios(RatioStatistics& into, const RatioStatistics& part);

/** d mean / d velocity of the window steps: how a change of velocity moves the step's Gaussian. */
std::vector<double> window_gains(const DenoiseSchedule& schedule);

}  // namespace diptych
