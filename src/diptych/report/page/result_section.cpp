#include "diptych/report/page/result_section.h"

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/html/number_text.h"
#include "diptych/report/page/comparison.h"
#include "diptych/report/run_data/metric_table.h"
#include "diptych/report/run_data/run_facts.h"

namespace diptych {

namespace {

struct Change {
  std::string metric;
  double before = 0;
  double after = 0;
};

/** Values that are always 0 belong to a mode of evaluation that was not used. */
bool is_told(const Series& series) {
  return std::any_of(series.values.begin(), series.values.end(), [](double value) { return value != 0; });
}

/** All evaluated metrics of a run in the order of the table, from the first evaluation to the last. */
std::vector<Change> evaluation_changes(const RunData& run) {
  std::vector<Change> changes;
  for (const MetricGroup& group : metric_groups())
    for (const MetricMeaning& entry : group.metrics)
      for (const auto& [name, values] : run.curves)
        if (name.starts_with("eval/") && names_metric(entry.name, name) && is_told(values))
          changes.push_back({name, values.values.front(), values.values.back()});
  return changes;
}

std::string change_of(const Change& change) {
  const double difference = change.after - change.before;
  return is_rate(change.metric) ? points_text(difference) : change_text(difference);
}

const char* direction(const Change& change) {
  if (change.metric == "eval/think_length" || change.before == change.after) return "";
  return change.after > change.before ? " class=\"up\"" : " class=\"down\"";
}

/** A line from the value before to the value after on a scale from 0 to 1. */
std::string rate_line(const Change& change) {
  if (!is_rate(change.metric)) return "";
  const auto place = [](double rate) { return fixed(4 + 112 * rate, 1); };
  return cat(
      "<svg class=\"rate\" viewBox=\"0 0 120 12\" aria-hidden=\"true\"><path class=\"grid\" d=\"M4 6H116\"/>"
      "<path class=\"change c0\" d=\"M",
      place(change.before), " 6H", place(change.after), "\"/><circle class=\"was\" cx=\"", place(change.before),
      "\" cy=\"6\" r=\"3\"/><circle class=\"dot c0\" cx=\"", place(change.after), "\" cy=\"6\" r=\"4\"/></svg>");
}

std::string evaluation_rows(const std::vector<Change>& changes) {
  std::string html;
  for (const Change& change : changes)
    html +=
        cat("<tr><th scope=\"row\">", escape_html(metric_title(change.metric)), "</th><td>",
            value_text(change.metric, change.before), "</td><td>", value_text(change.metric, change.after), "</td><td",
            direction(change), ">", change_of(change), "</td><td class=\"wide\">", rate_line(change), "</td></tr>\n");
  return html;
}

std::string evaluation_table(const RunData& run) {
  const std::vector<Change> changes = evaluation_changes(run);
  const Series& rate = series(run.curves, "eval/correct_explicit");
  if (changes.empty() || rate.values.size() < 2) return "";
  std::vector<Change> main, families;
  for (const Change& change : changes) (change.metric.starts_with("eval/family/") ? families : main).push_back(change);
  const auto table = [](const std::string& title, const std::string& rows) {
    return rows.empty() ? ""
                        : cat("<table class=\"results\"><thead><tr><th>", title,
                              "</th><th>before</th><th>after</th><th>change</th><th class=\"wide\"></th></tr></thead>"
                              "<tbody>\n",
                              rows, "</tbody></table>\n");
  };
  std::vector<std::string> facts = {cat("Steps ", rate.steps.front(), " and ", rate.steps.back())};
  const std::string prompts = recipe_text(run.recipe, "eval.prompts"), split = recipe_text(run.recipe, "eval.split");
  if (!prompts.empty()) facts.push_back(cat(prompts, " prompts a pool, ", split, " split"));
  facts.push_back("the same prompts and seeds; rates are of strictly correct pictures, changes in points");
  return cat("<div class=\"tables\">", table("Held-out", evaluation_rows(main)),
             table("By family", evaluation_rows(families)), "</div><p class=\"note\">", escape_html(join(facts, "; ")),
             ".</p>\n");
}

std::string single_run(const RunData& run) {
  std::string html = cat("<p class=\"lead\">", escape_html(run_sentence(run)), "</p>\n");
  const char* css_class = "lead result";
  for (const std::string& sentence : result_sentences(run)) {
    html += cat("<p class=\"", css_class, "\">", sentence_html(sentence), "</p>\n");
    css_class = "lead";
  }
  return html + facts_html(run_facts(run)) + evaluation_table(run);
}

}  // namespace

std::string result_section(const std::vector<RunData>& runs) {
  if (runs.size() == 1) return single_run(runs.front());
  return comparison_html(runs);
}

std::string notes_section(const std::vector<RunData>& runs) {
  std::string html;
  for (const RunData& run : runs)
    for (const std::string& note : run.notes)
      html += cat("<li>", runs.size() > 1 ? escape_html(run.name) + ": " : "", escape_html(note), "</li>\n");
  return html.empty() ? "" : cat("<ul class=\"notes\">\n", html, "</ul>\n");
}

}  // namespace diptych
