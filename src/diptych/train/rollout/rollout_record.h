#pragma once
// What some rollout steps leave in the run folder, chain by chain, for people and reports.

#include <filesystem>

#include "diptych/train/rollout/rewarded_rollout.h"

namespace diptych {

/** Writes RUN/rollouts/step_NNNNNN.jsonl, one line a stage of the first prompts: prompt, sample, round, texts, image
 *  (a PNG file beside it), score with every question's answer, reward, advantage, and how the stage ended.
 *  docs/metrics.md lists the keys. The stages of the first prompt get a strip of the trained denoising steps too: the
 *  clean image that the policy expects at each (x - t v), and the final one; `model` decodes them. */
void record_rollout(const std::filesystem::path& run_folder, int64_t step, const RewardedRollout& rewarded,
                    const Bagel& model);

}  // namespace diptych
