#pragma once
// The rows that reinforcement training writes, under the names of docs/metrics.md.

#include "diptych/train/metrics.h"
#include "diptych/train/policy_update.h"
#include "diptych/train/rewarded_rollout.h"

namespace diptych {

/** "reward/...". */
void add_reward_metrics(const RewardedRollout& step, MetricRow& row);

/** "think/..."; nothing where the chains do not think. */
void add_think_metrics(const Rollout& rollout, MetricRow& row);

/** "loss/...", "ratio/...", "clip/...", "gate/...", "grad_norm/...", "update/...". */
void add_update_metrics(const UpdateReport& update, const GateReport& gate, MetricRow& row);

}  // namespace diptych
