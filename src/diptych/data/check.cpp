#include "diptych/data/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/data/data_lines.h"
#include "diptych/data/example_file.h"
#include "diptych/data/prompt_file.h"
#include "diptych/data/question_file.h"
#include "diptych/text/think.h"
#include "diptych/text/unicode.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view kHintBreak = "\n  hint: ";

/** The message of an error with its hint on the same line. */
std::string one_line(const Error& error) {
  std::string message = error.what();
  const size_t hint = message.find(kHintBreak);
  if (hint != message.npos) message.replace(hint, kHintBreak.size(), "; ");
  return message;
}

void add_sentence(const std::string& sentence, std::vector<std::string>* sentences, int64_t* count) {
  ++*count;
  if (sentences->size() < kMostSentences) sentences->push_back(sentence);
}

int64_t characters(std::string_view utf8) {
  int64_t count = 0;
  for (size_t position = 0; position < utf8.size(); ++count) next_code_point(utf8, &position);
  return count;
}

void count_prompt(const std::string& prompt, DataReport* report) {
  const int64_t length = characters(prompt);
  report->shortest_prompt = report->records == 1 ? length : std::min(report->shortest_prompt, length);
  report->longest_prompt = std::max(report->longest_prompt, length);
  report->mean_prompt += (static_cast<double>(length) - report->mean_prompt) / static_cast<double>(report->records);
}

void check_image(const std::string& where, const fs::path& path, DataReport* report) {
  try {
    check_image_exists(where, path);
  } catch (const Error& error) {
    return add_sentence(one_line(error), &report->faults, &report->fault_count);
  }
  try {
    const Image image = read_image(path);
    ++report->image_sizes[{image.width, image.height}];
  } catch (const Error& error) {
    add_sentence(cat(where, ": ", one_line(error)), &report->faults, &report->fault_count);
  }
}

void check_example(const std::string& where, const ExampleRecord& record, DataReport* report) {
  ++report->records;
  report->with_thinking += record.thinking.has_value();
  report->with_image += record.image.has_value();
  report->with_sources += !record.sources.empty();
  count_prompt(record.prompt, report);
  if (record.thinking && !parse_think(*record.thinking).well_formed)
    add_sentence(cat(where, ": thinking is not of the form <think> reasoning </think> refined prompt"),
                 &report->warnings, &report->warning_count);
  for (const fs::path& source : record.sources) check_image(where, source, report);
  if (record.image) check_image(where, *record.image, report);
}

void check_prompt(const std::string& where, const PromptRecord& record, bool others_have_questions,
                  DataReport* report) {
  ++report->records;
  report->with_questions += !record.questions.empty();
  count_prompt(record.text, report);
  for (const AtomicQuestion& question : record.questions) ++report->tags[question.kind][question.tag];
  if (record.questions.empty() && others_have_questions)
    add_sentence(cat(where, ": a prompt without questions, which a reward that asks them cannot score"),
                 &report->warnings, &report->warning_count);
}

/** The keys that some line of a file has. */
struct KeysOfLines {
  bool prompt = false;
  bool example = false;
  bool questions = false;

  bool are_of_prompts() const { return questions || (prompt && !example); }
};

KeysOfLines keys_of_lines(const fs::path& path) {
  KeysOfLines keys;
  visit_data_lines(path, [&](const std::string& where, std::string_view text) {
    try {
      const nlohmann::json object = parse_object(where, text);
      keys.prompt = keys.prompt || object.contains("prompt");
      keys.example = keys.example || has_example_keys(object);
      keys.questions = keys.questions || has_questions(object);
    } catch (const Error&) {
      // check_data reports the line
    }
  });
  return keys;
}

}  // namespace

DataReport check_data(const fs::path& path) {
  const KeysOfLines keys = keys_of_lines(path);
  DataReport report;
  report.is_question_file = keys.are_of_prompts();
  visit_data_lines(path, [&](const std::string& where, std::string_view text) {
    try {
      const nlohmann::json object = parse_object(where, text);
      if (report.is_question_file) {
        check_prompt(where, parse_prompt_record(where, object), keys.questions, &report);
      } else {
        check_example(where, parse_example_record(where, object, path.parent_path()), &report);
      }
    } catch (const Error& error) {
      add_sentence(one_line(error), &report.faults, &report.fault_count);
    }
  });
  if (report.records == 0 && report.fault_count == 0)
    add_sentence(cat(path.string(), ": expected one example or prompt a line, got an empty file"), &report.faults,
                 &report.fault_count);
  return report;
}

}  // namespace diptych
