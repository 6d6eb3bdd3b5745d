#include "diptych/algorithm/refinement.h"

#include <algorithm>
#include <map>
#include <stdexcept>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

void require_same_size(size_t samples, size_t other, const char* what) {
  if (other != samples) throw std::invalid_argument(cat("refinement: ", samples, " rewards, ", other, " ", what));
}

std::vector<size_t> valid_members(size_t samples, const std::vector<bool>& valid) {
  if (!valid.empty()) require_same_size(samples, valid.size(), "validity flags");
  std::vector<size_t> members;
  for (size_t i = 0; i < samples; ++i) {
    if (valid.empty() || valid[i]) members.push_back(i);
  }
  return members;
}

}  // namespace

std::vector<double> rectify(std::span<const double> rewards, std::span<const double> initial_rewards,
                            std::span<const int64_t> groups, const std::vector<bool>& valid, FprRule rule) {
  require_same_size(rewards.size(), initial_rewards.size(), "initial rewards");
  require_same_size(rewards.size(), groups.size(), "group ids");
  std::vector<double> result(rewards.begin(), rewards.end());
  if (rule == FprRule::off) return result;
  const std::span<const double> source = rule == FprRule::code ? initial_rewards : rewards;
  const std::vector<size_t> members = valid_members(rewards.size(), valid);
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
  require_same_size(rewards.size(), initial_rewards.size(), "initial rewards");
  return std::ranges::any_of(valid_members(rewards.size(), valid),
                             [&](size_t i) { return rewards[i] > initial_rewards[i]; });
}

}  // namespace diptych
