#pragma once
// An evaluation by itself: `diptych eval`.

#include "diptych/eval/evaluation.h"
#include "diptych/reward/kinds/reward_config.h"
#include "diptych/train/recipe/rollout_config.h"

namespace diptych {

struct EvaluationRecipe {
  std::string kind = "eval";
  std::string model;
  std::string out;
  int64_t threads = 0;
  std::string device = "cpu";
  std::string dtype = "float32";
  RolloutConfig rollout;
  RewardConfig reward;
  EvaluationConfig eval;
};

inline void visit(ConfigFields& fields, EvaluationRecipe& recipe) {
  fields.choice("kind", recipe.kind, {"eval"}, "what this recipe does");
  fields("model", recipe.model, "model folder to evaluate");
  fields("out", recipe.out, "folder for result.json, pictures and texts; empty: none");
  fields.range("threads", recipe.threads, 0, 1024, "CPU threads; 0: as many as this process has cores");
  fields("device", recipe.device, "cpu, cuda or cuda:N");
  fields.choice("dtype", recipe.dtype, {"float32", "bfloat16"}, "of the model's weights and activations");
  fields.section("rollout", recipe.rollout);
  fields.section("reward", recipe.reward);
  fields.section("eval", recipe.eval);
}

struct EvaluationReport {
  std::optional<EvaluationResult> pictures;  // absent with eval.prompts = 0
  std::optional<EditEvaluation> edits;       // absent with eval.edits = 0
};

/** Evaluates the model, and writes OUT/recipe.toml, OUT/result.json and OUT/eval/ if `out` is given. Throws
 *  Error(config) where there is nothing to evaluate. */
EvaluationReport run_evaluation(const EvaluationRecipe& recipe);

}  // namespace diptych
