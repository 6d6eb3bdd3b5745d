#pragma once
// Which changes of a setting bring its peak below a limit.

#include <algorithm>
#include <functional>

#include "diptych/base/text_format.h"
#include "diptych/plan/advice.h"

namespace diptych {

/** Makes one change and says which as a user types it, or says nothing where it cannot. */
template <class Setting>
using SettingChange = std::string (*)(Setting&);

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

/** The first of `changes` that is worth saying, again and again, until `limit` bytes hold the peak or none is. */
template <class Setting>
std::vector<Advice> search_advice(Setting setting, const std::vector<SettingChange<Setting>>& changes,
                                  const std::function<int64_t(const Setting&)>& peak_of, int64_t limit) {
  constexpr double worth_saying = 0.01;  // share of the peak
  std::vector<Advice> all;
  int64_t peak = peak_of(setting);
  for (size_t next = 0; peak > limit && next < changes.size();) {
    Setting changed = setting;
    const std::string change = changes[next](changed);
    const int64_t after = change.empty() ? peak : peak_of(changed);
    if (static_cast<double>(peak - after) < worth_saying * static_cast<double>(peak)) {
      ++next;
      continue;
    }
    add_advice(all, {change, peak - after, after});
    setting = changed;
    peak = after;
    next = 0;
  }
  return all;
}

}  // namespace diptych
