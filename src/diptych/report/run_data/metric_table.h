#pragma once
// What the metrics of docs/metrics.md mean, in a line each, in the order in which a report shows them.

#include <string>
#include <string_view>
#include <vector>

namespace diptych {

struct MetricMeaning {
  std::string_view name;  // may end in `*`
  std::string_view meaning;
};

struct MetricGroup {
  std::string_view title;
  bool open = false;  // what a reader wants to see first; the others are folded
  std::vector<MetricMeaning> metrics;
};

const std::vector<MetricGroup>& metric_groups();

/** Whether the name is the entry's, or begins as it says. */
bool names_metric(std::string_view entry, std::string_view name);

/** The line about a metric; empty for one that no entry names. */
std::string_view metric_meaning(std::string_view name);

}  // namespace diptych
