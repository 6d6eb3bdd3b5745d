#include "diptych/algorithm/advantages.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "diptych/algorithm/samples.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

struct Moments {
  double mean = 0;
  double std = 0;
  bool spread = false;  // two values differ, by more than vanishes in std; the rounded std of equal ones need not be 0
};

Moments moments(std::span<const double> values) {
  Moments result;
  if (values.empty()) return result;
  for (double value : values) result.mean += value;
  result.mean /= static_cast<double>(values.size());
  double squares = 0;
  for (double value : values) squares += (value - result.mean) * (value - result.mean);
  result.std = std::sqrt(squares / static_cast<double>(values.size()));
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  result.spread = *low < *high && result.std > 0;
  return result;
}

constexpr double kLargestReward = 1e100;  // squares of the differences of larger ones could overflow

/** The samples that count; throws if the value of one of them is not finite, or too large to be squared. */
std::vector<size_t> finite_samples(std::span<const double> values, const std::vector<bool>& valid) {
  std::vector<size_t> members = valid_samples(values.size(), valid);
  for (size_t i : members) {
    if (std::abs(values[i]) <= kLargestReward) continue;
    throw Error(ExitCode::numerics,
                {.where = cat("advantages, sample ", i),
                 .expected = cat("a reward of at most ", kLargestReward, ", or the sample marked as invalid"),
                 .got = cat(values[i]),
                 .hint = ""});
  }
  return members;
}

Moments moments_of(std::span<const double> values, const std::vector<size_t>& members) {
  std::vector<double> selected;
  for (size_t i : members) selected.push_back(values[i]);
  return moments(selected);
}

/** With empty `baselines` the baseline is the group mean. */
Advantages normalised(std::span<const double> rewards, std::span<const double> baselines,
                      std::span<const int64_t> groups, const std::vector<bool>& valid,
                      const AdvantageOptions& options) {
  require_one_per_sample(rewards.size(), groups.size(), "group ids");
  const std::vector<size_t> counted = finite_samples(rewards, valid);
  const Moments round = moments_of(rewards, counted);
  std::map<int64_t, GroupStatistics> statistics;
  std::map<int64_t, std::vector<size_t>> members;
  for (int64_t group : groups) {
    statistics[group].group = group;
    ++statistics[group].size;
  }
  for (size_t i : counted) members[groups[i]].push_back(i);

  Advantages result;
  result.values.assign(rewards.size(), 0.0);
  result.valid_samples = static_cast<int64_t>(counted.size());
  for (auto& [id, group] : statistics) {
    const Moments own = moments_of(rewards, members[id]);
    const Moments& scope = options.std_scope == StdScope::group ? own : round;
    group.valid = static_cast<int64_t>(members[id].size());
    group.mean = own.mean;
    group.std = own.std;
    const bool on_baseline =
        baselines.empty() ? !own.spread
                          : std::ranges::all_of(members[id], [&](size_t i) { return rewards[i] == baselines[i]; });
    group.zero_spread = on_baseline || (!options.mean_only && !scope.spread);
    result.zero_spread_groups += group.zero_spread;
    if (!group.zero_spread) {
      const double scale = options.mean_only ? 1 : scope.std + options.epsilon;
      for (size_t i : members[id])
        result.values[i] = (rewards[i] - (baselines.empty() ? own.mean : baselines[i])) / scale;
    }
    result.groups.push_back(group);
  }
  result.values = clamp_advantages(result.values, options.clamp);
  return result;
}

}  // namespace

Advantages group_advantages(std::span<const double> rewards, std::span<const int64_t> groups,
                            const std::vector<bool>& valid, const AdvantageOptions& options) {
  return normalised(rewards, {}, groups, valid, options);
}

Advantages baseline_advantages(std::span<const double> rewards, std::span<const double> baselines,
                               std::span<const int64_t> groups, const std::vector<bool>& valid,
                               const AdvantageOptions& options) {
  require_one_per_sample(rewards.size(), baselines.size(), "baselines");
  return normalised(rewards, baselines, groups, valid, options);
}

Advantages gdpo_advantages(const std::vector<std::vector<double>>& rewards, std::span<const double> weights,
                           std::span<const int64_t> groups, const std::vector<bool>& valid,
                           const AdvantageOptions& options) {
  require_one_per_sample(rewards.size(), weights.size(), "weights of rewards");
  AdvantageOptions single = options;
  single.clamp = 0;
  std::vector<double> total(groups.size(), 0.0);
  std::vector<double> values(groups.size(), 0.0);
  for (size_t k = 0; k < rewards.size(); ++k) {
    if (weights[k] == 0) continue;
    const Advantages part = group_advantages(rewards[k], groups, valid, single);
    for (size_t i = 0; i < groups.size(); ++i) {
      values[i] += weights[k] * part.values[i];
      if (valid.empty() || valid[i]) total[i] += weights[k] * rewards[k][i];
    }
  }
  Advantages result = group_advantages(total, groups, valid, single);
  result.values = clamp_advantages(values, options.clamp);
  std::set<int64_t> telling;
  for (size_t i = 0; i < groups.size(); ++i)
    if (values[i] != 0) telling.insert(groups[i]);
  result.zero_spread_groups = 0;
  for (GroupStatistics& group : result.groups) {
    group.zero_spread = !telling.contains(group.group);
    result.zero_spread_groups += group.zero_spread;
  }
  return result;
}

std::vector<double> round_zscore(std::span<const double> values, const std::vector<bool>& valid, double epsilon) {
  const std::vector<size_t> members = finite_samples(values, valid);
  const Moments round = moments_of(values, members);
  std::vector<double> result(values.size(), 0.0);
  if (!round.spread) return result;
  for (size_t i : members) result[i] = (values[i] - round.mean) / (round.std + epsilon);
  return result;
}

std::vector<double> clamp_advantages(std::span<const double> values, double limit) {
  std::vector<double> result(values.begin(), values.end());
  if (limit == 0) return result;
  for (double& value : result) value = std::clamp(value, -limit, limit);
  return result;
}

}  // namespace diptych
