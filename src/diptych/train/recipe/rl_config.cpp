#include "diptych/train/recipe/rl_config.h"

#include <algorithm>

#include "diptych/base/config/require.h"

namespace diptych {

LossOptions loss_options(const RlTrainConfig& train) {
  LossOptions loss;
  loss.text_weight = train.text_weight;
  loss.image_weight = train.image_weight;
  loss.velocity_mse_weight = train.velocity_mse_weight;
  loss.latent_kl_weight = train.latent_kl_weight;
  loss.text_kl_weight = train.text_kl_weight;
  loss.text_clip = {train.text_clip_low, train.text_clip_high};
  loss.image_clip = {train.image_clip_low, train.image_clip_high};
  loss.aggregation =
      train.text_aggregation == "token_mean" ? TokenAggregation::token_mean : TokenAggregation::sequence_mean;
  loss.sequence_ratio = train.text_ratio == "sequence";
  loss.text_advantage_clamp = train.text_advantage_clamp;
  loss.image_advantage_clamp = train.image_advantage_clamp;
  loss.ratio_norm = train.ratio_norm;
  loss.inverse_dt = train.inverse_dt;
  loss.sections = train.losses;
  return loss;
}

bool needs_reference(const RlTrainConfig& train) {
  return loss_needs(loss_options(train)).reference;
}

bool needs_velocities(const RlTrainConfig& train) {
  return loss_needs(loss_options(train)).velocities;
}

bool trains_steps(const RlTrainConfig& train) {
  return loss_needs(loss_options(train)).trains_steps;
}

void check(const RlTrainConfig& train) {
  // Also the unit in which gates measure velocities, whatever needs them.
  require(!needs_velocities(train) || std::max(train.image_clip_low, train.image_clip_high) > 0,
          "train.image_clip_low and train.image_clip_high", "a range above 0", "0", "");
  require(train.und_learning_rate > 0 || trains_steps(train), "train.und_learning_rate",
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
