#pragma once
// How the losses of reinforcement training are weighed and what they are made of, whatever a recipe calls it.

#include <map>

#include "diptych/algorithm/text_loss.h"
#include "diptych/base/config/config_section.h"

namespace diptych {

/** The keys of the losses that bring keys of their own (LossTerm::keys), as they are by default, by the losses' names.
 */
std::map<std::string, ConfigSection> loss_sections();

struct LossOptions {
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
  std::map<std::string, ConfigSection> sections = loss_sections();
};

/** Denominators of the whole optimizer step, so that micro-batches add up to one batch exactly. */
struct LossDenominators {
  int64_t images = 0;
  TextDenominators text;
};

}  // namespace diptych
