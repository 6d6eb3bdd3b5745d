#pragma once
// The supervised start: flow matching plus next-token cross-entropy on packed examples.

#include "diptych/data/example_config.h"
#include "diptych/eval/benchmarks/evaluation_defaults.h"
#include "diptych/train/optimizer/trained_policy.h"
#include "diptych/train/recipe/rollout_config.h"
#include "diptych/train/run/session.h"

namespace diptych {

struct SftConfig {
  int64_t steps = 1000;
  int64_t batch = 128;
  double learning_rate = 1e-3;
  double cross_entropy_weight = 1;
  double flow_weight = 1;
  double text_dropout = 0.1;
  double timestep_shift = 1;
  double ema_decay = 0;
  int64_t examples_per_pack = 0;
  bool recompute_layers = false;
  std::vector<std::string> parameters = {"*", "!vit_*", "!connector*", "!*pos_embed"};
};

inline void visit(ConfigFields& fields, SftConfig& train) {
  fields.range("steps", train.steps, 1, INT64_MAX, "updates", Change::schedule);
  fields.range("batch", train.batch, 1, 1000000, "examples per update, dealt over the processes");
  fields.range("learning_rate", train.learning_rate, 0, 1, "peak learning rate", Change::recorded);
  fields.range("cross_entropy_weight", train.cross_entropy_weight, 0, 1e6, "weight of the thought's cross-entropy",
               Change::recorded);
  fields.range("flow_weight", train.flow_weight, 0, 1e6, "weight of the flow-matching error", Change::recorded);
  fields.range("text_dropout", train.text_dropout, 0, 1, "share of images learnt without text, for guidance",
               Change::recorded);
  fields.range("timestep_shift", train.timestep_shift, 1e-3, 1e3, "shift of the training times", Change::recorded);
  fields.range("ema_decay", train.ema_decay, 0, 0.9999999,
               "the saved model is this moving average of the weights; 0: the weights");
  fields.range("examples_per_pack", train.examples_per_pack, 0, 1000000,
               "examples of a process that are computed at once; fewer need less memory; 0: all of them", Change::free);
  fields(
      "recompute_layers", train.recompute_layers,
      "compute each layer a second time in the backward pass instead of keeping its activations: less memory, a third "
      "more work, the same bits",
      Change::free);
  fields("parameters", train.parameters, "name patterns of the weights that train; ! excludes");
}

struct SftRecipe {
  std::string kind = "sft";
  std::string model;
  RunConfig run;
  DataConfig data;
  SftConfig train;
  OptimizerConfig optimizer;
  RolloutConfig rollout;
  EvaluationConfig eval = evaluation_defaults();
};

inline void visit(ConfigFields& fields, SftRecipe& recipe) {
  fields.choice("kind", recipe.kind, {"sft"}, "what this recipe trains");
  fields("model", recipe.model, "model folder to start from", Change::free);
  fields.section("run", recipe.run);
  fields.section("data", recipe.data);
  fields.section("train", recipe.train);
  fields.section("optimizer", recipe.optimizer);
  fields.section("rollout", recipe.rollout);
  fields.section("eval", recipe.eval);
}

/** What of the model trains, and how. */
PolicyOptions policy_options(const SftRecipe& recipe);

/** Throws Error(config) for a recipe that would learn nothing, or whose evaluation could not score what it paints. */
SftRecipe checked_recipe(const SftRecipe& recipe);

/** Trains, in as many processes as a launcher started, and writes RUN/model: the weights that were evaluated last,
 * rounded to bfloat16 in whatever dtype the run computed, and read back. Evaluates on the shapes world where
 * data.source is "shapes". */
EndReason train_sft(const SftRecipe& recipe);

}  // namespace diptych
