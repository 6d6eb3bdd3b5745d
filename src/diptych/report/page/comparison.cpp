#include "diptych/report/page/comparison.h"

#include <map>
#include <set>

#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/html/number_text.h"
#include "diptych/report/run_data/run_facts.h"

namespace diptych {

namespace {

constexpr size_t kFewKeys = 25;  // more differing keys are folded

std::string course_cell(const RunData& run, const std::string& metric) {
  const Series& values = series(run.curves, metric);
  if (values.values.empty()) return "<td>–</td>";
  const bool is_training = metric == "reward/mean" || metric.starts_with("loss/");
  if (is_training && values.values.size() < kFewestStepsOfACourse)
    return cat("<td>", value_text(metric, mean(values.values)), "</td>");
  const double before = is_training ? mean(first_part(values, 0.1)) : values.values.front();
  const double after = is_training ? mean(last_part(values, 0.1)) : values.values.back();
  if (!is_training && values.values.size() == 1) return cat("<td>", value_text(metric, before), "</td>");
  return cat("<td>", value_text(metric, before), " → <b>", value_text(metric, after), "</b></td>");
}

std::string run_table(const std::vector<RunData>& runs) {
  std::vector<std::string> metrics;
  for (const char* metric :
       {"eval/correct_explicit", "eval/correct_implicit", "eval/refine/after", "eval/edits/correct",
        "eval/refined_correct", "reward/mean", "loss/flow", "loss/cross_entropy", "loss/total"})
    for (const RunData& run : runs)
      if (run.curves.contains(metric)) {
        metrics.emplace_back(metric);
        break;
      }
  std::string html = "<div class=\"scroll\"><table class=\"runs\"><thead><tr><th>run</th><th>steps</th><th>time</th>";
  for (const std::string& metric : metrics)
    html += cat("<th>", escape_html(metric.starts_with("eval/") ? metric_title(metric) : metric), "</th>");
  html += "</tr></thead><tbody>\n";
  for (size_t i = 0; i < runs.size(); ++i) {
    const RunData& run = runs[i];
    html += cat("<tr><th scope=\"row\">", colour_mark(i), escape_html(run.name), "</th><td>",
                steps_text(run).substr(0, steps_text(run).rfind(' ')), "</td><td>",
                duration_text(sum(series(run.curves, "time/step").values)), "</td>");
    for (const std::string& metric : metrics) html += course_cell(run, metric);
    html += "</tr>\n";
  }
  return html +
         "</tbody></table></div>\n<p class=\"note\">Before → after: of evaluations the first and the last, of "
         "training metrics the means of the first and the last tenth of the steps; of few steps the mean of all.</p>\n";
}

std::string difference_table(const std::vector<RunData>& runs) {
  const auto keys = differing_keys(runs);
  if (keys.empty()) return "<p class=\"note\">The recipes are equal.</p>\n";
  std::string html = "<div class=\"scroll\"><table class=\"runs keys\"><thead><tr><th>key</th>";
  for (size_t i = 0; i < runs.size(); ++i) html += cat("<th>", colour_mark(i), escape_html(runs[i].name), "</th>");
  html += "</tr></thead><tbody>\n";
  for (const auto& [key, values] : keys) {
    html += cat("<tr><th scope=\"row\"><code>", escape_html(key), "</code></th>");
    for (const std::string& value : values) html += cat("<td>", value.empty() ? "–" : escape_html(value), "</td>");
    html += "</tr>\n";
  }
  return folded_html(keys.size() <= kFewKeys, cat("Recipe keys that differ (", keys.size(), ")"),
                     html + "</tbody></table></div>\n", "group");
}

std::set<std::string> kinds_of(const std::vector<RunData>& runs) {
  std::set<std::string> kinds;
  for (const RunData& run : runs) kinds.insert(run_kind(run));
  return kinds;
}

std::string kinds_note(const std::vector<RunData>& runs) {
  const std::set<std::string> kinds = kinds_of(runs);
  if (kinds.size() == 1) return "";
  return cat("<p class=\"note\">These runs are of different kinds (", escape_html(join(kinds, ", ")),
             "): only metrics of equal name share a curve, and only recipe keys of all kinds are compared.</p>\n");
}

}  // namespace

std::vector<std::pair<std::string, std::vector<std::string>>> differing_keys(const std::vector<RunData>& runs) {
  std::map<std::string, size_t> uses;
  for (const RunData& run : runs)
    for (const auto& [key, value] : run.recipe) ++uses[key];
  uses.erase("run.dir");
  const bool one_kind = kinds_of(runs).size() == 1;
  std::vector<std::pair<std::string, std::vector<std::string>>> differing;
  for (const auto& [key, count] : uses) {
    if (!one_kind && count < runs.size()) continue;
    std::vector<std::string> values;
    std::set<std::string> distinct;
    for (const RunData& run : runs) {
      values.push_back(recipe_text(run.recipe, key));
      distinct.insert(values.back());
    }
    if (distinct.size() > 1) differing.emplace_back(key, values);
  }
  return differing;
}

std::string comparison_html(const std::vector<RunData>& runs) {
  return kinds_note(runs) + run_table(runs) + difference_table(runs);
}

}  // namespace diptych
