#include "diptych/train/recipe/rl_config.h"

#include <algorithm>

#include "diptych/train/recipe/require.h"

namespace diptych {

bool needs_reference(const RlTrainConfig& train) {
  return train.velocity_mse_weight > 0 || train.latent_kl_weight > 0 || train.text_kl_weight > 0;
}

bool needs_velocities(const RlTrainConfig& train) {
  return train.image_weight > 0 || train.velocity_mse_weight > 0 || train.latent_kl_weight > 0;
}

void check(const RlTrainConfig& train) {
  // Also the unit in which gates measure velocities, whatever needs them.
  require(!needs_velocities(train) || std::max(train.image_clip_low, train.image_clip_high) > 0,
          "train.image_clip_low and train.image_clip_high", "a range above 0", "0", "");
  require(train.und_learning_rate > 0 || train.image_weight > 0, "train.und_learning_rate",
          "above 0: the text loss reaches this expert only", "0", "");
  require(!train.shard_weights || train.recompute_layers, "train.recompute_layers", "true", "false",
          "train.shard_weights asks for it");
}

void check(const LoraConfig& lora) {
  require(lora.rank == 0 || lora.alpha > 0, "lora.alpha", "above 0: adapters that are scaled by 0 never learn", "0",
          "or lora.rank = 0 to train without adapters");
  require(lora.rank == 0 || !lora.targets.empty(), "lora.targets", "name patterns of the linears that get an adapter",
          "none", "or lora.rank = 0 to train without adapters");
}

}  // namespace diptych
