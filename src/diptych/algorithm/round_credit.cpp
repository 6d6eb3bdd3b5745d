#include "diptych/algorithm/round_credit.h"

#include <algorithm>
#include <stdexcept>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

bool perfect(double value, double tolerance) {
  return value >= 1 - tolerance;
}

void require_picture(const RoundChain& chain) {
  if (chain.values.empty()) throw std::invalid_argument("round credit: a chain without a picture");
}

/** e(V) of the header. */
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
  const bool improvement = options.kind == RoundCreditKind::improvement;
  const std::optional<double> last = chain.values.back();
  const auto rounds = static_cast<int64_t>(chain.values.size());
  std::vector<StageCredit> stages = {{RoundStage::reason, 0, improvement ? chain.values.front() : last}};
  for (int64_t j = 1; j < rounds; ++j) {
    const size_t index = static_cast<size_t>(j);
    stages.push_back(
        {RoundStage::refine, j, improvement ? difference(chain.values[index], chain.values[index - 1]) : last});
  }
  if (chain.end == RoundEnd::cap) return stages;
  StageCredit end{RoundStage::end, rounds, std::nullopt};
  if (last) end.reward = end_reward(*last, chain.end, options) + (improvement ? 0 : *last);
  stages.push_back(end);
  return stages;
}

RoundAdvantages round_advantages(const std::vector<std::vector<StageCredit>>& credits, std::span<const int64_t> prompts,
                                 const AdvantageOptions& options) {
  if (prompts.size() != credits.size())
    throw std::invalid_argument(cat("round credit: ", credits.size(), " chains, ", prompts.size(), " prompt ids"));
  RoundAdvantages result;
  size_t rounds = 0;
  for (const auto& stages : credits) {
    result.values.emplace_back(stages.size(), 0.0);
    rounds = std::max(rounds, stages.size());
  }
  // A chain has one stage a round, so the stages of a round are the entries of one index.
  for (size_t round = 0; round < rounds; ++round) {
    std::vector<size_t> chains;
    std::vector<double> rewards;
    std::vector<int64_t> groups;
    std::vector<bool> valid;
    for (size_t chain = 0; chain < credits.size(); ++chain) {
      if (credits[chain].size() <= round) continue;
      const std::optional<double> reward = credits[chain][round].reward;
      chains.push_back(chain);
      rewards.push_back(reward.value_or(0));
      groups.push_back(prompts[chain]);
      valid.push_back(reward.has_value());
      result.masked_stages += reward ? 0 : 1;
    }
    result.rounds.push_back(group_advantages(rewards, groups, valid, options));
    for (size_t i = 0; i < chains.size(); ++i) result.values[chains[i]][round] = result.rounds.back().values[i];
  }
  return result;
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
