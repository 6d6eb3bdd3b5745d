#pragma once
// What processes of a run tell each other, as JSON values.

#include <nlohmann/json.hpp>

#include "diptych/distributed/process_group.h"
#include "diptych/reward/score.h"

namespace diptych {

nlohmann::json json_of_score(const Score& score);
Score score_of_json(const nlohmann::json& stored);

/** The values of all ranks in their order, on every rank. As CBOR: doubles keep their bits, and texts may be any bytes.
 */
std::vector<nlohmann::json> gather_json(ProcessGroup& ranks, const nlohmann::json& own, const std::string& what);

}  // namespace diptych
