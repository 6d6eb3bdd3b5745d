#pragma once
// What the benchmarks of the shapes world share.

#include "diptych/reward/task.h"
#include "diptych/shapes/prompts/prompts.h"

namespace diptych {

/** The split named "train", "validation" or "test". */
shapes::Split split_named(const std::string& name);

/** Throws Error(config) for pictures of another size than the verifier of the shapes world can look at: it would find
 *  every one of them wrong. */
void check_evaluated_size(int64_t pixels);

/** Whether the exact verifier finds the candidate's last picture right. Throws Error(config) for a prompt that it
 * cannot check. */
bool picture_is_right(const TaskPrompt& prompt, const Candidate& candidate);

}  // namespace diptych
