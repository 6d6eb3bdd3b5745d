#include "diptych/algorithm/round_credit.h"

#include <stdexcept>

namespace diptych {

namespace {

bool perfect(double value, double tolerance) {
  return value >= 1 - tolerance;
}

void require_picture(const RoundChain& chain) {
  if (chain.values.empty()) throw std::invalid_argument("round credit: a chain without a picture");
}

double end_reward(double value, RoundEnd end, const RoundCreditOptions& options) {
  if (!perfect(value, options.perfect_tolerance)) return -options.false_stop_cost * (1 - value);
  return end == RoundEnd::stop ? options.stop_bonus : 0;
}

std::optional<double> difference(std::optional<double> after, std::optional<double> before) {
  if (!after || !before) return std::nullopt;
  return *after - *before;
}

}  // namespace

std::vector<StageCredit> stage_credits(const RoundChain& chain, const RoundCreditOptions& options) {
  require_picture(chain);
  const std::vector<std::optional<double>>& values = chain.values;
  const auto rounds = static_cast<int64_t>(values.size());
  const bool final = options.kind == RoundCreditKind::final;
  std::vector<StageCredit> stages = {{RoundStage::reason, 0, final ? values.back() : values.front()}};
  for (int64_t j = 1; j < rounds; ++j) {
    const size_t index = static_cast<size_t>(j);
    stages.push_back({RoundStage::refine, j, difference(values[index], values[index - 1])});
  }
  if (chain.end == RoundEnd::cap) return stages;
  StageCredit end{RoundStage::end, rounds, std::nullopt};
  if (values.back()) end.reward = end_reward(*values.back(), chain.end, options);
  stages.push_back(end);
  return stages;
}

std::optional<double> StopStatistics::precision() const {
  if (stops == 0) return std::nullopt;
  return static_cast<double>(right_stops) / static_cast<double>(stops);
}

std::optional<double> StopStatistics::recall() const {
  if (perfect_offered == 0) return std::nullopt;
  return static_cast<double>(right_stops) / static_cast<double>(perfect_offered);
}

StopStatistics stop_statistics(std::span<const RoundChain> chains, double perfect_tolerance) {
  StopStatistics result;
  for (const RoundChain& chain : chains) {
    require_picture(chain);
    // Every picture but the one at the cap was reflected on.
    const size_t decisions = chain.values.size() - (chain.end == RoundEnd::cap ? 1 : 0);
    for (size_t j = 0; j < decisions; ++j) {
      if (!chain.values[j]) {
        ++result.masked;
        continue;
      }
      const bool is_perfect = perfect(*chain.values[j], perfect_tolerance);
      const bool ends = j + 1 == chain.values.size();
      ++result.decisions;
      result.perfect_offered += is_perfect;
      if (ends && chain.end == RoundEnd::unreadable) ++result.unreadable;
      if (!ends || chain.end != RoundEnd::stop) continue;
      ++result.stops;
      ++(is_perfect ? result.right_stops : result.false_stops);
    }
  }
  return result;
}

}  // namespace diptych
