#pragma once
// Scores on their way between processes.

#include <nlohmann/json.hpp>

#include "diptych/reward/score.h"

namespace diptych {

nlohmann::json json_of_score(const Score& score);
Score score_of_json(const nlohmann::json& stored);

}  // namespace diptych
