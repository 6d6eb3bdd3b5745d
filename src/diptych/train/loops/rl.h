#pragma once
// Reinforcement training: rollout, reward, advantage, update.

#include "diptych/train/recipe/rl_config.h"
#include "diptych/train/run/metrics.h"

namespace diptych {

struct RlResult {
  EndReason reason = EndReason::finished;
  int64_t steps = 0;                // rollout steps done, over all continuations
  std::optional<MetricRow> before;  // "eval/..." of the start weights; absent in a continuation
  std::optional<MetricRow> after;   // of the final weights; absent if interrupted
  double seconds = 0;               // of training in this process, evaluation left out
};

/** Trains by the recipe and writes checkpoints, metrics, samples and, at the end, RUN/model. Throws Error(numerics)
 * when a ratio gate fails or updates stay non-finite, Error(reward) when too many rewards are missing. */
RlResult train_rl(const RlRecipe& recipe);

}  // namespace diptych
