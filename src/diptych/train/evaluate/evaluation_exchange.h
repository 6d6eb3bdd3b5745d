#pragma once
// An evaluation during training, dealt over the processes of the run.

#include <nlohmann/json.hpp>

#include "diptych/distributed/process_group.h"
#include "diptych/eval/evaluation_share.h"

namespace diptych {

/** A sample without its prompt. */
nlohmann::json json_of_sample(const EvaluatedSample& sample);
EvaluatedSample sample_of_json(const nlohmann::json& stored);

/** This rank's part, which gets the samples of the others with their texts, pictures, scores and verdicts. `ranks` must
 *  outlive it. */
EvaluationShare share_of(ProcessGroup& ranks);

}  // namespace diptych
