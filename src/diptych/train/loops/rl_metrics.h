#pragma once
// The rows that reinforcement training writes, under the names of docs/metrics.md.

#include "diptych/reward/judge/judge_statistics.h"
#include "diptych/train/rollout/rewarded_rollout.h"
#include "diptych/train/run/metrics.h"
#include "diptych/train/update/update_report.h"

namespace diptych {

/** "reward/...", and what the kind of step adds; of rewards "reward/masked" alone where no stage has one. */
void add_reward_metrics(const RewardedRollout& step, MetricRow& row);

/** "think/..." of the first stages, "reflection/..." of the later ones; nothing where none writes. */
void add_text_metrics(const Rollout& rollout, MetricRow& row);

/** "judge/...": counts since the statistics `before`, and what the judge says of its speed so far. */
void add_judge_metrics(const JudgeStatistics& before, const JudgeStatistics& now, MetricRow& row);

/** "loss/...", "ratio/...", "clip/...", "gate/...", "grad_norm/...", "update/...". */
void add_update_metrics(const UpdateReport& update, MetricRow& row);

}  // namespace diptych
