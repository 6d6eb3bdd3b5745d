#include "diptych/train/update/update_options.h"

#include "diptych/algorithm/geometry.h"

namespace diptych {

PolicyOptions policy_options(const RlRecipe& recipe) {
  AdamWOptions adamw = adamw_options(recipe.optimizer);
  adamw.bfloat16_gradients = recipe.train.gradient_dtype == "bfloat16";
  return {.parameters = recipe.train.parameters,
          .adapters = {recipe.lora.rank, recipe.lora.alpha, recipe.lora.targets},
          .und_learning_rate = recipe.train.und_learning_rate,
          .gen_learning_rate = recipe.train.gen_learning_rate,
          .max_grad_norm = recipe.optimizer.max_grad_norm,
          .adamw = adamw,
          .seed = static_cast<uint64_t>(recipe.run.seed),
          .keeps_reference = needs_reference(recipe.train),
          .shard_weights = recipe.train.shard_weights};
}

UpdateOptions update_options(const RlRecipe& recipe, const EpisodeOptions& episode, int64_t latent_elements) {
  const RlTrainConfig& train = recipe.train;
  UpdateOptions options;
  if (train.scale_with_geometry)
    options.geometry_factor = geometry_scale(latent_elements, episode.schedule.grid, recipe.rollout.window_range[0],
                                             recipe.rollout.window_range[1], recipe.rollout.noise_level);
  LossOptions& loss = options.loss;
  loss = loss_options(train);
  loss.velocity_mse_weight *= options.geometry_factor;
  if (train.velocity_mse_reduction == "sum") loss.velocity_mse_weight *= static_cast<double>(latent_elements);
  loss.image_clip.low *= options.geometry_factor;
  loss.image_clip.high *= options.geometry_factor;

  const LossNeeds needs = loss_needs(loss);
  ReplayOptions& replay = options.replay;
  replay.temperature = recipe.rollout.temperature == 0 ? 1 : recipe.rollout.temperature;  // as in SampledText
  replay.detach_context = train.context_gradient == "detached";
  replay.with_text = writes(episode.program) && needs.logprobs;
  replay.with_image = needs.velocities;
  options.gate_text = train.gate_text;
  options.gate_text_mean = recipe.run.dtype == "bfloat16";
  options.gate_image = train.gate_image;
  options.mini_batches = train.mini_batches;
  options.epochs = train.epochs;
  options.chains_per_pack = train.chains_per_pack;
  options.old_from_rollout = train.old_logprob == "rollout";
  return options;
}

}  // namespace diptych
