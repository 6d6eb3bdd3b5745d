#include "diptych/train/loops/rl_metrics.h"

#include <cmath>

#include "diptych/text/think.h"

namespace diptych {

namespace {

double mean_of(const std::vector<double>& values, const std::vector<bool>& valid) {
  double sum = 0;
  double count = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!valid[i]) continue;
    sum += values[i];
    count += 1;
  }
  return count == 0 ? 0 : sum / count;
}

void add_ratio_metrics(const std::string& name, const RatioStatistics& ratios, MetricRow& row) {
  if (ratios.count == 0) return;
  row["ratio/" + name + "_mean"] = ratios.ratio_mean.item<double>();
  row["ratio/" + name + "_max_abs_log"] = ratios.max_abs_log_ratio.item<double>();
  row["clip/" + name + "_above"] = ratios.fraction_above.item<double>();
  row["clip/" + name + "_below"] = ratios.fraction_below.item<double>();
}

struct TextCounts {
  double length = 0;
  double truncated = 0;
  double well_formed = 0;
  double empty = 0;
  double count = 0;

  void add(const SampledText& text, const std::string& words) {
    count += 1;
    length += static_cast<double>(text.tokens.size());
    truncated += text.truncated ? 1 : 0;
    const ThinkText parts = parse_think(words);
    const bool is_empty = parts.well_formed && is_empty_thought(parts);
    well_formed += parts.well_formed && !is_empty ? 1 : 0;
    empty += is_empty ? 1 : 0;
  }
  void write(const std::string& name, MetricRow& row) const {
    if (count == 0) return;
    row[name + "/length"] = length / count;
    row[name + "/truncated"] = truncated / count;
    row[name + "/well_formed"] = well_formed / count;
    row[name + "/empty"] = empty / count;
  }
};

}  // namespace

void add_reward_metrics(const RewardedRollout& step, MetricRow& row) {
  const double stages = static_cast<double>(step.rewards.size());
  // A refinement step may have no stages: no picture had a score to be refined for.
  row["reward/masked"] = stages == 0 ? 1 : 1 - static_cast<double>(step.advantages.valid_samples) / stages;
  for (const auto& [name, value] : step.metrics) row[name] = value;
  // Where nothing was scored there is nothing to average: a 0 would read as a policy that fails.
  if (step.advantages.valid_samples == 0) return;
  const double mean = mean_of(step.rewards, step.valid);
  std::vector<double> squares;
  for (double reward : step.rewards) squares.push_back((reward - mean) * (reward - mean));
  double spread = 0;
  for (const GroupStatistics& group : step.advantages.groups) spread += group.std;
  const double groups = std::max(1.0, static_cast<double>(step.advantages.groups.size()));
  row["reward/mean"] = mean;
  row["reward/std"] = std::sqrt(mean_of(squares, step.valid));
  row["reward/group_std"] = spread / groups;
  row["reward/zero_spread_groups"] = static_cast<double>(step.advantages.zero_spread_groups) / groups;
}

void add_text_metrics(const Rollout& rollout, MetricRow& row) {
  TextCounts thoughts, reflections;
  for (const Stage& stage : rollout.stages)
    if (stage.text) (stage.round == 0 ? thoughts : reflections).add(*stage.text, stage.candidate.texts.front());
  thoughts.write("think", row);
  reflections.write("reflection", row);
}

void add_judge_metrics(const JudgeStatistics& before, const JudgeStatistics& now, MetricRow& row) {
  row["judge/requests"] = static_cast<double>(now.requests - before.requests);
  row["judge/failed"] = static_cast<double>(now.failed - before.failed);
  row["judge/retries"] = static_cast<double>(now.retries - before.retries);
  row["judge/cache_hits"] = static_cast<double>(now.cache_hits - before.cache_hits);
  row["judge/latency_p50"] = now.latency_p50;
  row["judge/latency_p95"] = now.latency_p95;
  row["judge/busy_share"] = now.busy_share;
}

void add_update_metrics(const UpdateReport& update, MetricRow& row) {
  for (const auto& [name, term] : update.losses) {
    row["loss/" + name] = term.loss;
    add_ratio_metrics(name, term.ratios, row);
  }
  for (const auto& [name, largest] : update.first_ratios) row["gate/first_" + name + "_ratio"] = largest;
  row["gate/text_mean"] = update.gate.text_mean;
  row["gate/text_max"] = update.gate.text_max;
  row["gate/image_max"] = update.gate.image_max;
  row["update/applied"] = static_cast<double>(update.applied);
  row["update/skipped"] = static_cast<double>(update.skipped);
  for (const GroupStepReport& group : update.groups) {
    row["grad_norm/" + group.name] = group.grad_norm;
    row["update/changed_share_" + group.name] = group.changed_share;
    row["update/below_epsilon_share_" + group.name] = group.below_epsilon_share;
  }
}

}  // namespace diptych
