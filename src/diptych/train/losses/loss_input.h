#pragma once
// What the losses of some stages are computed from.

#include "diptych/rollout/replay.h"

namespace diptych {

struct LossInput {
  const Rollout& rollout;
  const std::vector<size_t>& stages;  // numbers in the rollout
  const ReplayOutput& now;            // of these stages in this order, with gradient
  // By the number of the stage in the rollout.
  const std::vector<StageValues>& old;
  const std::vector<StageValues>& reference;  // empty where no penalty has a weight
  const std::vector<double>& advantages;
};

/** Advantages within [-limit, limit]; 0: no limit. */
std::vector<double> clamped(std::vector<double> advantages, double limit);

}  // namespace diptych
