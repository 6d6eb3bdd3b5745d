#pragma once
// Which changes of a setting bring its peak below a limit.

#include <algorithm>
#include <functional>

#include "diptych/base/text_format.h"
#include "diptych/plan/advice.h"

namespace diptych {

template <class Setting>
struct SettingChange {
  std::string (*make)(Setting&);  // makes the change and says which as a user types it, or says nothing where it cannot
  const char* cost;               // as in Advice
};

template <class Setting>
std::string round_weights(Setting& setting) {
  if (setting.recipe.run.dtype == "bfloat16") return "";
  setting.recipe.run.dtype = "bfloat16";
  return "run.dtype=bfloat16";
}

template <class Setting>
std::string recompute_layers(Setting& setting) {
  if (setting.recipe.train.recompute_layers) return "";
  setting.recipe.train.recompute_layers = true;
  return "train.recompute_layers=true";
}

inline constexpr const char* kCostOfRounding = "rounds weights and activations";
inline constexpr const char* kCostOfRecomputing = "a third more work in updates";
inline constexpr const char* kCostOfSmallPacks = "less at a time, at worst slower";
inline constexpr const char* kCostOfRanks = "more cards";

/** `dealt`: what is dealt over the ranks. With fewer than one each, ranks would idle. */
inline std::string double_ranks(int64_t& ranks, int64_t dealt) {
  constexpr int64_t most = 64;
  if (2 * ranks > std::min(most, dealt)) return "";
  ranks *= 2;
  return cat("--ranks=", ranks);
}

inline std::string halve(const char* key, int64_t& value) {
  if (value <= 1) return "";
  value /= 2;
  return cat(key, "=", value);
}

/** Appends; halving a key twice is one piece of advice. */
inline void add_advice(std::vector<Advice>& all, Advice next) {
  const auto key_of = [](const std::string& change) { return change.substr(0, change.find('=')); };
  if (!all.empty() && key_of(all.back().change) == key_of(next.change)) {
    next.saved += all.back().saved;
    all.pop_back();
  }
  all.push_back(std::move(next));
}

template <class Setting>
class AdviceSearch {
 public:
  using Change = SettingChange<Setting>;
  using Steps = std::vector<size_t>;  // places in `changes`

  /** `changes`: the one that costs least first. */
  AdviceSearch(Setting start, std::vector<Change> changes, std::function<int64_t(const Setting&)> peak_of)
      : start_(std::move(start)), changes_(std::move(changes)), peak_of_(std::move(peak_of)) {}

  std::vector<Advice> found(int64_t limit) const {
    const Steps greedy = first_that_help(limit);
    const std::vector<Advice> all = advice_of(greedy);
    if (all.empty()) return {};
    // Where nothing fits, what helps nothing at the end is left out all the same.
    const int64_t enough = std::max(limit, all.back().peak);
    return advice_of(gathered(needed(greedy, enough), enough));
  }

 private:
  /** The first change that is worth saying, again and again, until `limit` bytes hold the peak or none is. */
  Steps first_that_help(int64_t limit) const {
    constexpr double worth_saying = 0.01;  // share of the peak
    Steps made;
    Setting setting = start_;
    int64_t peak = peak_of_(setting);
    for (size_t next = 0; peak > limit && next < changes_.size();) {
      Setting changed = setting;
      const int64_t after = changes_[next].make(changed).empty() ? peak : peak_of_(changed);
      if (static_cast<double>(peak - after) < worth_saying * static_cast<double>(peak)) {
        ++next;
        continue;
      }
      made.push_back(next);
      setting = changed;
      peak = after;
      next = 0;
    }
    return made;
  }

  /** Whether the steps can be made and `limit` bytes hold the peak behind them. */
  bool suffices(const Steps& steps, int64_t limit) const {
    Setting setting = start_;
    for (const size_t step : steps)
      if (changes_[step].make(setting).empty()) return false;
    return peak_of_(setting) <= limit;
  }

  /** Without the steps that later ones have made useless: what costs most is tried first. */
  Steps needed(Steps steps, int64_t limit) const {
    for (size_t change = changes_.size(); change-- > 0;) {
      for (size_t place = steps.size(); place-- > 0;) {
        if (steps[place] != change) continue;
        Steps fewer = steps;
        fewer.erase(fewer.begin() + static_cast<std::ptrdiff_t>(place));
        if (suffices(fewer, limit)) steps = fewer;
      }
    }
    return steps;
  }

  /** Steps of one kind behind the first of them, so that they become one piece of advice. */
  Steps gathered(const Steps& steps, int64_t limit) const {
    Steps together;
    for (const size_t step : steps) {
      const auto last = std::find(together.rbegin(), together.rend(), step);
      together.insert(last == together.rend() ? together.end() : last.base(), step);
    }
    return suffices(together, limit) ? together : steps;
  }

  std::vector<Advice> advice_of(const Steps& steps) const {
    std::vector<Advice> all;
    Setting setting = start_;
    int64_t peak = peak_of_(setting);
    for (const size_t step : steps) {
      const std::string change = changes_[step].make(setting);
      const int64_t after = peak_of_(setting);
      add_advice(all, {change, changes_[step].cost, peak - after, after});
      peak = after;
    }
    return all;
  }

  Setting start_;
  std::vector<Change> changes_;
  std::function<int64_t(const Setting&)> peak_of_;
};

}  // namespace diptych
