#include "diptych/report/page/health_section.h"

#include "diptych/base/text_format.h"
#include "diptych/report/health/health.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/html/number_text.h"

namespace diptych {

namespace {

std::string finding_html(const Finding& finding) {
  const bool is_alarm = finding.severity == Severity::alarm;
  return cat("<li class=\"", is_alarm ? "alarm" : "watch", "\"><p class=\"seen\"><span class=\"badge\">",
             is_alarm ? "Alarm" : "Watch", "</span> ", sentence_html(finding.seen), "</p><p>",
             sentence_html(finding.meaning), "</p><p><b>To do:</b> ", sentence_html(finding.advice), "</p></li>\n");
}

std::string list_html(const std::vector<std::string>& items) {
  std::string html = "<ul class=\"checked\">";
  for (const std::string& item : items) html += cat("<li>", escape_html(item), "</li>");
  return html + "</ul>\n";
}

std::string health_html(const HealthReport& report) {
  std::string html;
  for (const Finding& finding : report.findings) html += finding_html(finding);
  const auto checks = static_cast<int64_t>(report.checked.size());
  html = html.empty() ? cat("<p class=\"fine\"><span class=\"badge\">Fine</span> No warnings from ",
                            count_text(checks, "check"), ".</p>\n")
                      : cat("<ul class=\"findings\">\n", html, "</ul>\n");
  html += folded_html(false, cat("What was checked (", checks, ")"), list_html(report.checked), "quiet");
  if (!report.not_checked.empty())
    html += folded_html(false, cat("Too few steps to check (", report.not_checked.size(), ")"),
                        list_html(report.not_checked), "quiet");
  return html;
}

}  // namespace

std::string health_section(const std::vector<RunData>& runs) {
  std::string html;
  for (size_t i = 0; i < runs.size(); ++i) {
    if (runs[i].curves.empty()) continue;
    if (runs.size() > 1) html += cat("<h3>", colour_mark(i), escape_html(runs[i].name), "</h3>\n");
    html += health_html(check_health(runs[i].curves, runs[i].recipe));
  }
  return section_html("health", "Health", html);
}

}  // namespace diptych
