#pragma once
// One reinforcement step in its parts: rollout, values of the reference, update.

#include "diptych/bench/bench.h"

namespace diptych {

/** Chains of 8 members a group that think for a fixed number of tokens and paint in 10 steps, 3 of them trained,
 * without guidance: rows for replaying them without gradient, for the update (replay, backward and AdamW), and for the
 * whole step: rollout, reference values and update. A forward and backward pass counts as 3 forwards. */
std::vector<BenchRow> bench_training(const BenchInput& input);

}  // namespace diptych
