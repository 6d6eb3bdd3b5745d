#include <algorithm>
#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/command_group.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/printing.h"
#include "diptych/data/check.h"

namespace diptych {

namespace {

constexpr size_t kMostSizes = 10;  // lines of the table of image sizes

void print_sizes(const DataReport& report) {
  std::vector<std::pair<int64_t, std::pair<int, int>>> sizes;
  for (const auto& [size, count] : report.image_sizes) sizes.push_back({count, size});
  std::sort(sizes.rbegin(), sizes.rend());
  for (size_t row = 0; row < std::min(sizes.size(), kMostSizes); ++row)
    print_fact(row == 0 ? "image sizes" : "",
               cat(sizes[row].second.first, " x ", sizes[row].second.second, ": ", sizes[row].first));
  if (sizes.size() > kMostSizes) print_fact("", cat("and ", sizes.size() - kMostSizes, " other sizes"));
}

void print_tags(const DataReport& report) {
  for (const auto& [kind, counts] : report.tags) {
    std::vector<std::string> parts;
    for (const auto& [tag, count] : counts) parts.push_back(cat(tag, ' ', count));
    print_fact(kind, join(parts, ", "));
  }
}

void print_sentences(const char* name, const std::vector<std::string>& sentences, int64_t count) {
  print_fact(name, cat(count));
  for (const std::string& sentence : sentences) std::printf("  %s\n", sentence.c_str());
  const int64_t unprinted = count - static_cast<int64_t>(sentences.size());
  if (unprinted > 0) std::printf("  and %lld more\n", static_cast<long long>(unprinted));
}

int check(const std::filesystem::path& file) {
  const bool is_plain_text = file.extension() == ".txt";
  const DataReport report = check_data(file);
  print_fact("lines", cat(report.lines.lines));
  const std::string skipped = skipped_lines(report.lines);
  if (!skipped.empty()) print_fact("passed over", skipped);
  if (report.lines.trimmed > 0) print_fact("trimmed", cat(report.lines.trimmed, " had blanks at an end"));
  print_fact(is_plain_text ? "prompts" : "records", cat(report.records));
  if (report.is_question_file && !is_plain_text) {
    print_fact("with questions", cat(report.with_questions));
    print_tags(report);
  } else if (!report.is_question_file) {
    print_fact("with thinking", cat(report.with_thinking));
    print_fact("with image", cat(report.with_image));
    print_fact("with sources", cat(report.with_sources));
  }
  print_fact("prompt length", cat(report.shortest_prompt, " to ", report.longest_prompt, " characters, mean ",
                                  fixed(report.mean_prompt, 1)));
  if (report.repeated_prompts > 0)
    print_fact("repeated", cat(report.repeated_prompts, " prompts stand in a line before"));
  print_sizes(report);
  if (report.turned_images > 0)
    print_fact("turned upright", cat(report.turned_images, " images, as their EXIF data say"));
  if (report.cmyk_images > 0) print_fact("from CMYK", cat(report.cmyk_images, " images"));
  print_sentences("warnings", report.warnings, report.warning_count);
  print_sentences("faults", report.faults, report.fault_count);
  return report.fault_count == 0 ? 0 : static_cast<int>(ExitCode::data);
}

/** `diptych data check FILE`: prints a report on a file of supervised examples, or on a `.txt` file of prompts. The
 *  status is ExitCode::data if there are faults. */
void add_data(CLI::App& app, int& status) {
  CLI::App* data = app.add_subcommand("data", "look at your own training data");
  require_command(*data, status);
  CLI::App* command =
      data->add_subcommand("check", "report on a file of examples or prompts, and on what is wrong in it");
  auto file = std::make_shared<std::string>();
  command->add_option("file", *file, ".jsonl file of examples or of prompts with questions, or .txt file of prompts")
      ->required()
      ->type_name("FILE");
  command->callback([=, &status] { status = check(*file); });
}

}  // namespace

std::vector<Command> data_command() {
  return {{.order = 120, .add = add_data}};
}

}  // namespace diptych
