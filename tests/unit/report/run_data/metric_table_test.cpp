#include "diptych/report/run_data/metric_table.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>

#include "diptych/io/files.h"

namespace diptych {
namespace {

/** Names in the first column of the tables of docs/metrics.md that are headed "metric". */
std::set<std::string> documented_metrics() {
  std::istringstream lines(read_file(std::string(DIPTYCH_SOURCE_DIR) + "/docs/metrics.md"));
  std::set<std::string> names;
  bool in_table = false;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("|")) in_table = false;
    if (in_table) {
      const std::string cell = line.substr(1, line.find('|', 1) - 1);
      for (size_t start = cell.find('`'); start != cell.npos;) {
        const size_t end = cell.find('`', start + 1);
        names.insert(cell.substr(start + 1, end - start - 1));
        start = cell.find('`', end + 1);
      }
    }
    if (line.starts_with("| metric |")) in_table = true;
  }
  return names;
}

TEST(MetricTableTest, EveryDocumentedMetricHasALine) {
  const std::set<std::string> names = documented_metrics();
  EXPECT_GT(names.size(), 50u);
  for (const std::string& name : names) EXPECT_NE(metric_meaning(name), "") << name;
}

TEST(MetricTableTest, EveryLineIsOfADocumentedMetric) {
  const std::set<std::string> names = documented_metrics();
  for (const MetricGroup& group : metric_groups())
    for (const MetricMeaning& metric : group.metrics)
      EXPECT_TRUE(names.contains(std::string(metric.name))) << metric.name;
}

TEST(MetricTableTest, AStarStandsForAnyEnd) {
  EXPECT_TRUE(names_metric("eval/family/*", "eval/family/colors"));
  EXPECT_FALSE(names_metric("eval/family/*", "eval/colors"));
  EXPECT_FALSE(names_metric("grad_norm", "grad_norm/und"));
}

}  // namespace
}  // namespace diptych
