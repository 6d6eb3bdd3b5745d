#pragma once
// The [eval] section of a recipe.

#include <map>

#include "diptych/base/config/config.h"
#include "diptych/base/config/config_section.h"

namespace diptych {

struct EvaluationConfig {
  // Of every benchmark:
  int64_t every = 100;
  int64_t seed = 1000;
  int64_t updates = 0;
  double guidance = 1;
  std::string refine = "none";
  int64_t refine_rounds = 1;
  // Of the shapes world's (eval/benchmarks/shapes_*_benchmark.cpp):
  std::string split = "validation";
  int64_t prompts = 128;
  int64_t edits = 0;
  std::map<std::string, ConfigSection> sections = {};  // [eval.NAME] of benchmarks that bring keys of their own
};

inline void visit(ConfigFields& fields, EvaluationConfig& eval) {
  fields.range("every", eval.every, 0, INT64_MAX, "steps between evaluations; 0: only before and after", Change::free);
  fields.choice("split", eval.split, {"train", "validation", "test"}, "shapes prompts: which held-out split",
                Change::free);
  fields.range("prompts", eval.prompts, 0, 1000000,
               "prompts per pool (explicit and implicit), balanced over families; 0: no evaluation", Change::free);
  fields("seed", eval.seed, "seed of the evaluation's draws: the same for every run and step", Change::free);
  fields.range("updates", eval.updates, 0, 1000, "denoising updates, Euler; 0: as in training", Change::free);
  fields.range("guidance", eval.guidance, 1, 100, "classifier-free guidance scale; 1: none", Change::free);
  fields.choice("refine", eval.refine, {"none", "always", "self", "oracle"},
                "which pictures are refined: all, those the model itself is not done with, or those the verifier finds "
                "wrong",
                Change::free);
  fields.range("refine_rounds", eval.refine_rounds, 1, 64, "refinements in a row", Change::free);
  fields.range("edits", eval.edits, 0, 1000000, "edit instructions to evaluate; 0: none", Change::free);
  for (auto& [name, section] : eval.sections) fields.section(name, section);
}

/** Whether a run of `steps` steps evaluates after `step` of them, if it has anything to evaluate. */
inline bool evaluation_is_due(const EvaluationConfig& eval, int64_t step, int64_t steps) {
  return step == 0 || step == steps || (eval.every > 0 && step % eval.every == 0);
}

}  // namespace diptych
