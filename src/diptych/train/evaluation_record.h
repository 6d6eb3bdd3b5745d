#pragma once
// What evaluations leave in the run folder.

#include <filesystem>

#include "diptych/eval/evaluation.h"
#include "diptych/train/metrics.h"

namespace diptych {

/** Adds the rows "eval/..." of docs/metrics.md. */
void add_evaluation(const EvaluationResult& result, MetricRow& row);

/** Writes RUN/eval/step_NNNNNN.png, a grid of the first images of both pools framed
 *  green (correct) or red (wrong), and step_NNNNNN.jsonl with prompt, thinking,
 *  score and verdict of every sample. The grid and a few thoughts go to TensorBoard too. */
void record_samples(const std::filesystem::path& run_folder, int64_t step, const EvaluationResult& result,
                    TensorBoardWriter& tensorboard);

/** Samples of the grid: the same prompts for every step of a run, half explicit, half implicit. */
std::vector<const EvaluatedSample*> grid_samples(const EvaluationResult& result);

/** RUN/eval/step_NNNNNN with the given extension. */
std::filesystem::path evaluation_file(const std::filesystem::path& run_folder, int64_t step,
                                      const std::string& extension);

}  // namespace diptych
