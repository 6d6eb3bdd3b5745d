#include "diptych/report/page/curves_section.h"

#include <algorithm>
#include <set>

#include "diptych/base/text_format.h"
#include "diptych/report/html/curve_svg.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/html/number_text.h"
#include "diptych/report/run_data/metric_table.h"

namespace diptych {

namespace {

/** One metric in all runs that have it. */
struct Metric {
  std::string name;
  std::vector<const Series*> series;
  std::vector<size_t> runs;
};

Metric metric_of(const std::vector<RunData>& runs, const std::string& name) {
  Metric metric{name, {}, {}};
  for (size_t i = 0; i < runs.size(); ++i) {
    const auto found = runs[i].curves.find(name);
    if (found == runs[i].curves.end()) continue;
    metric.series.push_back(&found->second);
    metric.runs.push_back(i);
  }
  return metric;
}

std::vector<size_t> colours_of(const Metric& metric) {
  std::vector<size_t> colours;
  for (const size_t run : metric.runs) colours.push_back(run % kRunColours);
  return colours;
}

/** Metrics of the entry in any of the runs. */
std::set<std::string> names_of(const std::vector<RunData>& runs, std::string_view entry) {
  std::set<std::string> names;
  for (const RunData& run : runs)
    for (const auto& [name, values] : run.curves)
      if (names_metric(entry, name)) names.insert(name);
  return names;
}

bool is_constant(const Metric& metric) {
  double first = 0;
  bool any = false;
  for (const Series* series : metric.series) {
    if (!series->not_finite.empty()) return false;
    for (const double value : series->values) {
      if (any && value != first) return false;
      first = value;
      any = true;
    }
  }
  return true;
}

bool has_course(const Metric& metric) {
  return std::any_of(metric.series.begin(), metric.series.end(),
                     [](const Series* series) { return series->values.size() > 1; });
}

/** What the curve cannot show. */
std::string panel_note(const Metric& metric) {
  const AxisRange range = value_range(metric.series);
  size_t outside = 0, not_finite = 0;
  double farthest = 0;
  for (const Series* series : metric.series) {
    not_finite += series->not_finite.size();
    for (const double value : series->values) {
      if (value >= range.low && value <= range.high) continue;
      ++outside;
      if (std::abs(value) > std::abs(farthest)) farthest = value;
    }
  }
  std::vector<std::string> notes;
  if (outside > 0)
    notes.push_back(
        cat(count_text(static_cast<int64_t>(outside), "value"), " outside the plot, up to ", number_text(farthest)));
  if (not_finite > 0) notes.push_back(cat(count_text(static_cast<int64_t>(not_finite), "value"), " not finite"));
  return notes.empty() ? "" : cat("<p class=\"note\">", join(notes, "; "), "</p>");
}

/** Where the smoothed curves begin and end. */
std::string ends_html(const Metric& metric) {
  std::string html;
  for (size_t i = 0; i < metric.series.size(); ++i) {
    const Series& series = *metric.series[i];
    if (series.values.empty()) continue;
    const double first = mean(first_part(series, 0.05)), last = mean(last_part(series, 0.05));
    html += metric.series.size() == 1 ? cat("<span>", number_text(first), " → ", number_text(last), "</span>")
                                      : cat("<span>", colour_mark(metric.runs[i]), number_text(last), "</span> ");
  }
  return html;
}

std::string panel_html(const Metric& metric) {
  return cat("<figure class=\"panel\"><figcaption><b>", escape_html(metric.name), "</b><span class=\"ends\">",
             ends_html(metric), "</span><p>", escape_html(metric_meaning(metric.name)), "</p></figcaption>",
             curve_svg(metric.name, metric.series, colours_of(metric)), panel_note(metric), "</figure>\n");
}

std::string constant_html(const std::vector<Metric>& constant) {
  if (constant.empty()) return "";
  std::vector<std::string> items;
  for (const Metric& metric : constant)
    if (!metric.series.front()->values.empty())
      items.push_back(cat("<span title=\"", escape_html(metric_meaning(metric.name)), "\"><code>",
                          escape_html(metric.name), "</code> = ", number_text(metric.series.front()->values.front()),
                          "</span>"));
  return cat("<p class=\"note constant\">The same at every step: ", join(items, ", "), "</p>\n");
}

/** Panels of the metrics that have a course, then the constant ones. */
std::string metrics_html(const std::vector<Metric>& metrics) {
  std::string panels;
  std::vector<Metric> constant;
  for (const Metric& metric : metrics) {
    if (is_constant(metric))
      constant.push_back(metric);
    else if (has_course(metric))
      panels += panel_html(metric);
  }
  if (!panels.empty()) panels = cat("<div class=\"panels\">\n", panels, "</div>\n");
  return panels + constant_html(constant);
}

// Two evaluations stand in the table of results; a curve needs more.
bool is_better_in_table(const Metric& metric) {
  return metric.name.starts_with("eval/") &&
         std::all_of(metric.series.begin(), metric.series.end(), [](const Series* s) { return s->values.size() <= 2; });
}

std::string legend_html(const std::vector<RunData>& runs) {
  if (runs.size() == 1) return "";
  std::string html = "<p class=\"legend\">";
  for (size_t i = 0; i < runs.size(); ++i) html += cat("<span>", colour_mark(i), escape_html(runs[i].name), "</span> ");
  return html + "</p>\n";
}

std::string smoothing_note(const std::vector<RunData>& runs) {
  size_t longest = 0;
  for (const RunData& run : runs)
    for (const auto& [name, values] : run.curves) longest = std::max(longest, values.values.size());
  const int64_t width = smoothing_width(longest);
  if (width == 1) return "";
  return cat("<p class=\"note\">Faint: the values of every step. Line: their mean over the nearest 1/20 of the steps (",
             width, " of ", longest, "), centred. Numbers beside a name: means of the first and the last 1/20.</p>\n");
}

}  // namespace

std::string curves_section(const std::vector<RunData>& runs) {
  std::string html;
  std::set<std::string> shown;
  for (const MetricGroup& group : metric_groups()) {
    std::vector<Metric> metrics;
    for (const MetricMeaning& entry : group.metrics)
      for (const std::string& name : names_of(runs, entry.name))
        if (shown.insert(name).second) metrics.push_back(metric_of(runs, name));
    std::erase_if(metrics, is_better_in_table);
    const std::string content = metrics_html(metrics);
    if (!content.empty()) html += folded_html(group.open, escape_html(group.title), content, "group");
  }
  std::vector<Metric> others;
  for (const std::string& name : names_of(runs, "*"))
    if (!shown.contains(name)) others.push_back(metric_of(runs, name));
  const std::string content = metrics_html(others);
  if (!content.empty()) html += folded_html(false, "Other metrics", content, "group");
  return html.empty() ? "" : section_html("curves", "Curves", legend_html(runs) + smoothing_note(runs) + html);
}

}  // namespace diptych
