#pragma once
// Periodic and final evaluation on held-out prompts with fixed seeds.

#include "diptych/base/config.h"
#include "diptych/reward/task.h"
#include "diptych/rollout/episode.h"

namespace diptych {

struct EvaluationConfig {
  int64_t every = 100;
  std::string split = "validation";
  int64_t prompts = 128;
  int64_t seed = 1000;
  int64_t updates = 0;
  double guidance = 1;
};

template <class Fields>
void visit(Fields& fields, EvaluationConfig& eval) {
  fields.range("every", eval.every, 0, INT64_MAX, "steps between evaluations; 0: only before and after");
  fields.choice("split", eval.split, {"train", "validation", "test"}, "shapes prompts: which held-out split");
  fields.range("prompts", eval.prompts, 0, 1000000,
               "prompts per pool (explicit and implicit), balanced over families; 0: no evaluation");
  fields("seed", eval.seed, "seed of the evaluation's draws: the same for every run and step");
  fields.range("updates", eval.updates, 0, 1000, "denoising updates, Euler; 0: as in training");
  fields.range("guidance", eval.guidance, 1, 100, "classifier-free guidance scale; 1: none");
}

/** One evaluated chain, kept for tables, pictures and reports. */
struct EvaluatedSample {
  TaskPrompt prompt;
  Candidate candidate;
  Score score;
  bool correct = false;
};

struct EvaluationResult {
  double correct_explicit = 0;  // strict correct-rates
  double correct_implicit = 0;
  double reward = 0;           // mean over both pools
  double think_length = 0;     // tokens
  double refined_correct = 0;  // share of thoughts whose refined prompt asks for what the prompt asks for
  std::map<std::string, double> correct_by_family;
  std::vector<EvaluatedSample> samples;  // explicit pool, then implicit
};

/** Evaluates the model on both pools of the shapes world: one Euler chain a prompt. */
EvaluationResult evaluate_shapes(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                                 const EvaluationConfig& config, const RewardFunction& reward);

/** The split named "train", "validation" or "test". */
shapes::Split split_named(const std::string& name);

}  // namespace diptych
