#pragma once
// Chains of the recorded rollout steps, group by group.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** The stages of one chain, by round. */
struct ChainData {
  std::vector<const StageData*> stages;
};

/** The chains that were sampled for one prompt. */
struct ChainGroup {
  std::string prompt;
  std::vector<ChainData> chains;  // best first
};

/** The groups of a record in their order. A chain is what has the same prompt and sample number; `stages_per_prompt` is
 *  the number of groups that one prompt's rounds take up (1 + N for the episode "rounds:N", else 1). Chains are sorted
 * by chain_value, those without one last. */
std::vector<ChainGroup> chain_groups(const RolloutData& record, int64_t stages_per_prompt);

/** The score of the chain's last picture, or its last reward; absent where all its stages are masked. */
std::optional<double> chain_value(const ChainData& chain);

/** The chosen records of every run. Adds notes about pictures that are missing. */
std::string chains_section(std::vector<RunData>& runs);

}  // namespace diptych
