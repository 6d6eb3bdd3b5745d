#pragma once
// The records of evaluations and rollouts in a run folder.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** RUN/eval/step_NNNNNN.jsonl and the path of the grid beside it. */
EvaluationData read_evaluation(const std::filesystem::path& run_folder, int64_t step, Notes& notes);

/** RUN/rollouts/step_NNNNNN.jsonl with the full paths of its pictures. */
RolloutData read_rollout(const std::filesystem::path& run_folder, int64_t step, Notes& notes);

}  // namespace diptych
