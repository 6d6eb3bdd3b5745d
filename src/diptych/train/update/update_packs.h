#pragma once
// Which stages of a rollout train together: mini-batches, and their packs.

#include "diptych/train/update/update_options.h"

namespace diptych {

/** Those of the stages that this process sampled. */
std::vector<size_t> own_stages(const Rollout& rollout, std::vector<size_t> stages);

/** Those with something to learn: a stopped stage has no picture and a plain one no text, so with one loss alone some
 *  stages hold nothing. */
std::vector<size_t> trained_stages(const Rollout& rollout, const std::vector<size_t>& stages,
                                   const ReplayOptions& options);

/** What trains, for each update of an epoch, of all processes. Whole groups stay together, so that a prompt's context
 * is computed once per update. */
std::vector<std::vector<size_t>> mini_batches(const Rollout& rollout, const std::vector<size_t>& stages,
                                              const UpdateOptions& options);

/** The packs of a mini-batch on this process: the same for replays without gradient and for updates, so that both round
 *  alike. */
std::vector<std::vector<size_t>> packs_of(const Rollout& rollout, const std::vector<size_t>& batch,
                                          const UpdateOptions& options);

/** Values of stages, in their order, at their places by stage number. */
void place_values(const std::vector<size_t>& stages, const std::vector<StageValues>& values,
                  std::vector<StageValues>& by_stage);

/** Values of the policy for those of the stages that this process sampled and that train, in the packs of the update,
 *  without gradient; indexed by stage number, empty for all others. */
std::vector<StageValues> replay_values(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& stages,
                                       const UpdateOptions& options);

}  // namespace diptych
