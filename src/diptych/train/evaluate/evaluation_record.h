#pragma once
// What evaluations leave in the run folder.

#include <filesystem>

#include "diptych/eval/evaluation.h"
#include "diptych/train/run/metrics.h"

namespace diptych {

/** Adds the rows "eval/..." of docs/metrics.md. */
void add_evaluation(const EvaluationResult& result, MetricRow& row);

/** Adds the rows "eval/edits/..." of docs/metrics.md. */
void add_edits(const EditEvaluation& result, MetricRow& row);

/** Writes RUN/eval/step_NNNNNN.png, a grid of the first images of both pools framed
 *  green (correct) or red (wrong), and step_NNNNNN.jsonl with prompt, thinking,
 *  score and verdict of every sample. The grid and a few thoughts go to TensorBoard too. */
void record_samples(const std::filesystem::path& run_folder, int64_t step, const EvaluationResult& result,
                    TensorBoardWriter& tensorboard);

/** Writes FOLDER/NAME.jsonl, one line a sample with prompt, all texts, score and verdict after every round, and
 *  FOLDER/NAME.png with the source, if any, and all pictures of the first samples, one sample a row. */
void write_samples(const std::filesystem::path& folder, const std::string& name,
                   const std::vector<EvaluatedSample>& samples);

/** Samples of the grid: the same prompts for every step of a run, half explicit, half implicit. */
std::vector<const EvaluatedSample*> grid_samples(const EvaluationResult& result);

/** RUN/eval/step_NNNNNN with the given extension. */
std::filesystem::path evaluation_file(const std::filesystem::path& run_folder, int64_t step,
                                      const std::string& extension);

}  // namespace diptych
