#pragma once
// Evaluation on held-out prompts of the shapes world, with fixed seeds.

#include "diptych/base/config.h"
#include "diptych/eval/reflection_score.h"
#include "diptych/reward/task.h"
#include "diptych/rollout/episode.h"
#include "diptych/shapes/world/prompts.h"

namespace diptych {

struct EvaluationConfig {
  int64_t every = 100;
  std::string split = "validation";
  int64_t prompts = 128;
  int64_t seed = 1000;
  int64_t updates = 0;
  double guidance = 1;
  std::string refine = "none";
  int64_t refine_rounds = 1;
  int64_t edits = 0;
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
}

/** Whether there is anything to evaluate. */
inline bool evaluates(const EvaluationConfig& eval) {
  return eval.prompts > 0 || eval.edits > 0;
}

/** A look at a picture with a view to repair it. */
struct Review {
  bool of_right_picture = false;
  bool stopped = false;  // the model said that it is done
  ReflectionScore score;
};

/** One evaluated chain, kept for tables, pictures and reports. */
struct EvaluatedSample {
  size_t place = 0;  // in the evaluation, which addresses its draws
  TaskPrompt prompt;
  Candidate candidate;               // of the whole conversation: texts and images of all rounds; the last image counts
  int64_t think_tokens = 0;          // sampled, of the first text
  Score score;                       // of the last image
  bool correct = false;              // the last image
  std::vector<bool> correct_rounds;  // of the picture after 0, 1, ... refinements
  std::vector<Review> reviews;       // of rounds that looked at it

  bool stopped() const { return !reviews.empty() && reviews.back().stopped; }
};

/** The part of one process in an evaluation that several share: every world-th prompt. */
struct EvaluationShare {
  size_t rank = 0;
  size_t world = 1;
  /** Called by each with its own samples, in order; returns those of all, without their prompts. */
  std::function<std::vector<EvaluatedSample>(std::vector<EvaluatedSample>)> join;
  /** Runs the part of this process, so that all end alike where it fails on one. */
  std::function<void(const std::function<void()>& part)> work = [](const auto& part) { part(); };

  std::vector<EvaluatedSample> deal(const std::vector<TaskPrompt>& prompts) const;
  /** The samples of all, one a prompt, in order of their places. */
  std::vector<EvaluatedSample> collect(const std::vector<TaskPrompt>& prompts, std::vector<EvaluatedSample> own) const;
};

/** What refinement did, over both pools. */
struct RefinementResult {
  double before = 0;             // strict correct-rate ahead of any refinement
  double after = 0;              // behind the last
  double refined = 0;            // share of pictures that were refined at least once
  double kept_right = 0;         // of pictures right before, the share right after
  double repaired = 0;           // of pictures wrong before, the share right after
  std::vector<double> by_round;  // correct-rate after 0, 1, ... rounds
  double described = 0;          // of reflections, the share whose description of the picture is true
  double diagnosed = 0;          // of those on wrong pictures, the share that names what is wrong (ReflectionScore)
  // Of the mode `self` only:
  double stops = 0;           // share of reviews that stopped
  double stop_precision = 0;  // of them, share at right pictures; 0 without stops
  double stop_recall = 0;     // of reviews of right pictures, share that stopped; 0 without any
};

struct EvaluationResult {
  double correct_explicit = 0;  // strict correct-rates
  double correct_implicit = 0;
  std::optional<double> reward;  // mean over what could be scored of both pools; absent if nothing could
  bool thinks = false;           // a thought comes before the picture; else there are no numbers of thoughts:
  double think_length = 0;       // tokens
  double refined_correct = 0;    // share of thoughts whose refined prompt asks for what the prompt asks for
  std::map<std::string, double> correct_by_family;
  std::optional<RefinementResult> refinement;
  std::vector<EvaluatedSample> samples;  // explicit pool, then implicit
};

/** The prompts of both pools, explicit, then implicit. */
std::vector<TaskPrompt> evaluated_prompts(const EvaluationConfig& config);

/** Throws Error(config) for pictures of another size than the verifier of the shapes world can look at: it would find
 *  every one of them wrong. */
void check_evaluated_size(int64_t pixels);

/** Evaluates the model on both pools of the shapes world: one Euler chain a prompt, then refinements as the config
 *  says. `options`: of the training recipe; its window is not used. The result does not depend on the `share`, which
 * all processes get whole. Throws what check_evaluated_size throws. */
EvaluationResult evaluate_shapes(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                                 const EvaluationConfig& config, const RewardFunction& reward,
                                 const EvaluationShare& share = {});

/** Scores of edits, means over the pool: GEdit's three (alphagrpo.md 8.2) in [0, 1], and the strict rate. */
struct EditScores {
  double correct = 0;
  double semantic = 0;  // min(followed, preserved)
  double quality = 0;
  double overall = 0;  // sqrt(semantic quality)
};

struct EditEvaluation {
  EditScores all;
  std::map<std::string, EditScores> by_kind;
  std::vector<EvaluatedSample> samples;
};

/** Evaluates edits of held-out instructions, one Euler chain each. Throws what check_evaluated_size throws. */
EditEvaluation evaluate_edits(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                              const EvaluationConfig& config, const EvaluationShare& share = {});

/** The split named "train", "validation" or "test". */
shapes::Split split_named(const std::string& name);

}  // namespace diptych
