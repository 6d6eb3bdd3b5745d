#include "diptych/report/page/report_page.h"

#include <algorithm>
#include <map>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/report/html/escape.h"
#include "diptych/report/html/html_text.h"
#include "diptych/report/page/before_after_section.h"
#include "diptych/report/page/chains_section.h"
#include "diptych/report/page/curves_section.h"
#include "diptych/report/page/health_section.h"
#include "diptych/report/page/report_style.h"
#include "diptych/report/page/result_section.h"

namespace diptych {

namespace {

constexpr size_t kRecords = 4;  // rollout records in a page, of all runs; each is up to a megabyte

void tell_apart(std::vector<RunData>& runs) {
  std::map<std::string, int> uses;
  for (const RunData& run : runs) ++uses[run.name];
  for (RunData& run : runs)
    if (uses[run.name] > 1) run.name = run.folder.string();
}

std::string recipes_section(const std::vector<RunData>& runs) {
  std::string html;
  for (const RunData& run : runs)
    if (!run.recipe_toml.empty())
      html += folded_html(false, runs.size() == 1 ? "recipe.toml" : escape_html(run.name),
                          cat("<pre>", escape_html(run.recipe_toml), "</pre>\n"), "group");
  return section_html("recipe", runs.size() == 1 ? "Recipe" : "Recipes", html);
}

std::string contents_html(const std::string& sections) {
  std::string html;
  for (const auto& [id, name] :
       {std::pair{"health", "Health"}, std::pair{"curves", "Curves"}, std::pair{"pictures", "Pictures"},
        std::pair{"chains", "Chains"}, std::pair{"recipe", "Recipe"}})
    if (sections.find(cat("<section id=\"", id, "\">")) != sections.npos)
      html += cat("<a href=\"#", id, "\">", name, "</a> ");
  return html.empty() ? "" : cat("<nav>", html, "</nav>\n");
}

std::string names(const std::vector<RunData>& runs) {
  std::vector<std::string> all;
  for (const RunData& run : runs) all.push_back(run.name);
  return join(all, ", ");
}

}  // namespace

std::string report_page(std::vector<RunData> runs) {
  tell_apart(runs);
  const std::string title = escape_html(names(runs));
  std::string sections = health_section(runs);
  sections += curves_section(runs);
  sections += before_after_section(runs);
  sections += chains_section(runs);
  sections += recipes_section(runs);
  // Sections add notes about what they miss, so the notes are written last; they stand first.
  return cat(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; "
      "style-src 'unsafe-inline'\">\n<title>",
      title, " · diptych report</title>\n<style>", kReportStyle, "</style>\n</head>\n<body>\n<header>\n",
      "<p class=\"kind\">diptych report</p>\n<h1>", title, "</h1>\n", result_section(runs), notes_section(runs),
      contents_html(sections), "</header>\n<main>\n", sections, "</main>\n</body>\n</html>\n");
}

std::filesystem::path report_file(const std::filesystem::path& run_folder) {
  return run_folder / "report.html";
}

void write_report(const std::vector<std::filesystem::path>& run_folders, const std::filesystem::path& page) {
  const size_t records = std::max<size_t>(1, kRecords / run_folders.size());
  std::vector<RunData> runs;
  for (const std::filesystem::path& folder : run_folders) runs.push_back(read_run(folder, records));
  if (page.has_parent_path()) make_folder(page.parent_path());
  write_file_atomic(page, report_page(std::move(runs)));
}

}  // namespace diptych
