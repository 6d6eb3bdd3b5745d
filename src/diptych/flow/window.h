#pragma once
// Which denoising steps are stochastic, and hence trained.

#include <cstdint>

namespace diptych {

/** First step of the SDE window [start, start + size): uniform in {low, ..., high - size}, one draw for a whole rollout
 *  step, addressed by (run seed, rollout step), so that every rank and every sample agrees. Throws Error(config) unless
 *  0 <= low, size >= 1 and the window fits into [low, high). Source: flow_grpo windowed SDE; UniGRPO Table 3. */
int64_t window_start(uint64_t seed, uint64_t rollout_step, int64_t low, int64_t high, int64_t size);

}  // namespace diptych
