#pragma once
// Health warnings: patterns of metrics, what they mean, and what to do about them.

#include <string>
#include <string_view>
#include <vector>

#include "diptych/report/html/series.h"
#include "diptych/report/run_data/recipe_values.h"

namespace diptych {

enum class Severity { watch, alarm };

/** Plain sentences; recipe keys, metrics and commands stand between `backticks`. */
struct Finding {
  Severity severity = Severity::watch;
  std::string seen;     // the pattern, with its numbers
  std::string meaning;  // what it says about the run
  std::string advice;   // what to do
};
using Findings = std::vector<Finding>;

inline constexpr double kQuarter = 0.25;  // share of the steps that counts as "first" and "last"

struct HealthRule {
  std::string_view checks;              // "the reward rises"
  std::vector<std::string_view> needs;  // metrics, any one of which lets the rule speak
  size_t least_values = 1;              // of one of them
  Findings (*find)(const Curves& curves, const RecipeValues& recipe) = nullptr;
};

struct HealthReport {
  Findings findings;                     // alarms first
  std::vector<std::string> checked;      // rules that had what they need
  std::vector<std::string> not_checked;  // rules whose metrics the run has, but too few values of
};

/** All rules, in the order in which they are told. */
const std::vector<HealthRule>& health_rules();

HealthReport check_health(const Curves& curves, const RecipeValues& recipe);

}  // namespace diptych
