#pragma once
// Training of the autoencoder, as a recipe of its own.

#include "diptych/data/example_config.h"
#include "diptych/train/run/session.h"

namespace diptych {

struct AutoencoderTrainConfig {
  int64_t steps = 1500;
  int64_t batch = 32;
  double learning_rate = 2e-3;
  double kl_weight = 1e-6;
};

inline void visit(ConfigFields& fields, AutoencoderTrainConfig& train) {
  fields.range("steps", train.steps, 1, INT64_MAX, "updates", Change::schedule);
  fields.range("batch", train.batch, 1, 65536, "images per update");
  fields.range("learning_rate", train.learning_rate, 0, 1, "peak learning rate", Change::recorded);
  fields.range("kl_weight", train.kl_weight, 0, 1, "weight of the posterior's KL to the standard normal",
               Change::recorded);
}

struct AutoencoderRecipe {
  RunConfig run;
  std::string model = "runs/shapes_init";
  DataConfig data;
  AutoencoderTrainConfig train;
  OptimizerConfig optimizer;
};

inline void visit(ConfigFields& fields, AutoencoderRecipe& recipe) {
  std::string kind = "autoencoder";
  fields.choice("kind", kind, {"autoencoder"}, "what this recipe trains");
  fields("model", recipe.model, "model folder to start from", Change::free);
  fields.section("run", recipe.run);
  fields.section("data", recipe.data);
  fields.section("train", recipe.train);
  fields.section("optimizer", recipe.optimizer);
}

/** Trains encoder and decoder on the target images of the data: mean absolute plus squared error of the reconstruction,
 *  plus the weighted KL of the posterior. At the end the latent's shift and scale are measured and RUN/model is
 * written. Metrics: loss, gradient norm, time per step. */
EndReason train_autoencoder(const AutoencoderRecipe& recipe);

}  // namespace diptych
