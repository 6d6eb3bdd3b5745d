#include "diptych/train/recipe/rl_config.h"

namespace diptych {

bool needs_reference(const RlTrainConfig& train) {
  return train.velocity_mse_weight > 0 || train.latent_kl_weight > 0 || train.text_kl_weight > 0;
}

bool needs_velocities(const RlTrainConfig& train) {
  return train.image_weight > 0 || train.velocity_mse_weight > 0 || train.latent_kl_weight > 0;
}

}  // namespace diptych
