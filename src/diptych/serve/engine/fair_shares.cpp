#include "diptych/serve/engine/fair_shares.h"

#include <algorithm>
#include <numeric>
#include <optional>

namespace diptych {

size_t TimeShares::next(const std::vector<bool>& has_work) {
  std::optional<size_t> chosen;
  for (size_t i = 0; i < had_.size(); ++i) {
    if (!has_work[i]) continue;
    if (!busy_[i]) had_[i] = std::max(had_[i], level_);
    if (!chosen || had_[i] < had_[*chosen]) chosen = i;
  }
  busy_ = has_work;
  level_ = std::max(level_, had_[chosen.value()]);
  return *chosen;
}

std::vector<int64_t> deal(const std::vector<int64_t>& wishes, int64_t budget) {
  std::vector<size_t> order(wishes.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, {}, [&](size_t i) { return wishes[i]; });
  std::vector<int64_t> dealt(wishes.size());
  for (size_t k = 0; k < order.size(); ++k) {
    const int64_t share = std::max<int64_t>(1, budget / static_cast<int64_t>(order.size() - k));
    dealt[order[k]] = std::min(wishes[order[k]], share);
    budget = std::max<int64_t>(0, budget - dealt[order[k]]);
  }
  return dealt;
}

}  // namespace diptych
