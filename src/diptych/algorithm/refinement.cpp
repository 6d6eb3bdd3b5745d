#include "diptych/algorithm/refinement.h"

#include <algorithm>
#include <map>

#include "diptych/algorithm/samples.h"

namespace diptych {

std::vector<double> rectify(std::span<const double> rewards, std::span<const double> initial_rewards,
                            std::span<const int64_t> groups, const std::vector<bool>& valid, FprRule rule) {
  require_one_per_sample(rewards.size(), initial_rewards.size(), "initial rewards");
  require_one_per_sample(rewards.size(), groups.size(), "group ids");
  std::vector<double> result(rewards.begin(), rewards.end());
  if (rule == FprRule::off) return result;
  const std::span<const double> source = rule == FprRule::code ? initial_rewards : rewards;
  const std::vector<size_t> members = valid_samples(rewards.size(), valid);
  std::map<int64_t, double> lowest;
  for (size_t i : members) {
    const auto [entry, first] = lowest.try_emplace(groups[i], source[i]);
    entry->second = std::min(entry->second, source[i]);
  }
  for (size_t i : members) {
    if (rewards[i] <= initial_rewards[i]) result[i] = lowest.at(groups[i]);
  }
  return result;
}

bool improves_anywhere(std::span<const double> rewards, std::span<const double> initial_rewards,
                       const std::vector<bool>& valid) {
  require_one_per_sample(rewards.size(), initial_rewards.size(), "initial rewards");
  return std::ranges::any_of(valid_samples(rewards.size(), valid),
                             [&](size_t i) { return rewards[i] > initial_rewards[i]; });
}

}  // namespace diptych
