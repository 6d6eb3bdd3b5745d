#pragma once
// An evaluation by itself: `diptych eval`.

#include "diptych/eval/benchmark.h"
#include "diptych/eval/benchmarks/evaluation_defaults.h"
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
  EvaluationConfig eval = evaluation_defaults();
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

/** Evaluates the model by all that the recipe asks for, in order, and writes OUT/recipe.toml, OUT/result.json and each
 *  benchmark's OUT/NAME.jsonl and OUT/NAME.png if `out` is given. Throws Error(config) where there is nothing to
 *  evaluate. */
std::vector<BenchmarkResult> run_evaluation(const EvaluationRecipe& recipe);

}  // namespace diptych
