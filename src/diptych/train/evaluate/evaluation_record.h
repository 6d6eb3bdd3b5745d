#pragma once
// What evaluations leave in the run folder.

#include <filesystem>

#include "diptych/eval/benchmark.h"
#include "diptych/io/tensorboard.h"

namespace diptych {

/** Of the benchmark whose pictures are shown, writes RUN/eval/step_NNNNNN.png, a grid of the first images of both
 * halves framed green (correct) or red (wrong), and step_NNNNNN.jsonl with prompt, thinking, score and verdict of every
 *  sample. The grid and a few thoughts go to TensorBoard too. Of others, what write_samples writes, as
 *  RUN/eval/step_NNNNNN_NAME. */
void record_samples(const std::filesystem::path& run_folder, int64_t step, const Benchmark& benchmark,
                    const std::vector<EvaluatedSample>& samples, TensorBoardWriter& tensorboard);

/** Writes FOLDER/NAME.jsonl, one line a sample with prompt, all texts, score and verdict after every round, and
 *  FOLDER/NAME.png with the source, if any, and all pictures of the first samples, one sample a row. */
void write_samples(const std::filesystem::path& folder, const std::string& name,
                   const std::vector<EvaluatedSample>& samples);

/** Samples of the grid: the same prompts for every step of a run, half of the first half, half of the second. */
std::vector<const EvaluatedSample*> grid_samples(const std::vector<EvaluatedSample>& samples);

/** RUN/eval/step_NNNNNN with the given extension. */
std::filesystem::path evaluation_file(const std::filesystem::path& run_folder, int64_t step,
                                      const std::string& extension);

}  // namespace diptych
