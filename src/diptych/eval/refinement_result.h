#pragma once
// What refinement did to the pictures of an evaluation.

#include "diptych/eval/benchmark.h"

namespace diptych {

/** Rates over all samples. */
struct RefinementResult {
  double before = 0;             // strict correct-rate ahead of any refinement
  double after = 0;              // behind the last
  double refined = 0;            // share of pictures that were refined at least once
  double kept_right = 0;         // of pictures right before, the share right after
  double repaired = 0;           // of pictures wrong before, the share right after
  std::vector<double> by_round;  // correct-rate after 0, 1, ... rounds
  // Where a benchmark can tell, which fills them in:
  std::optional<double> described;  // of reflections, the share whose description of the picture is true
  std::optional<double> diagnosed;  // of those on wrong pictures, the share that names what is wrong
  // Of the mode `self` only:
  double stops = 0;           // share of reviews that stopped
  double stop_precision = 0;  // of them, share at right pictures; 0 without stops
  double stop_recall = 0;     // of reviews of right pictures, share that stopped; 0 without any
};

/** What refine_samples did to samples. */
RefinementResult refinement_result(const EvaluationConfig& config, const std::vector<EvaluatedSample>& samples);

/** Adds the metrics "eval/refine/...", the key "refinement" of the report and lines of the table. */
void tell_refinement(const RefinementResult& refinement, const EvaluationConfig& config, BenchmarkResult& result);

}  // namespace diptych
