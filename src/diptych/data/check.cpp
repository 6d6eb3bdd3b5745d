#include "diptych/data/check.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
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

/** The first part of a text that is spelled as a control token, such as <|im_end|>; empty if there is none. */
std::string_view control_token(std::string_view text) {
  for (size_t begin = text.find("<|"); begin != text.npos; begin = text.find("<|", begin + 1)) {
    const size_t end = text.find("|>", begin + 2);
    if (end == text.npos) return {};
    const std::string_view name = text.substr(begin + 2, end - begin - 2);
    const auto is_of_names = [](char c) { return (c >= 'a' && c <= 'z') || c == '_' || is_ascii_digit(c); };
    if (!name.empty() && std::all_of(name.begin(), name.end(), is_of_names)) return text.substr(begin, end + 2 - begin);
  }
  return {};
}

/** A file while its lines are checked. */
class FileCheck {
 public:
  void add_example(const std::string& where, const ExampleRecord& record);
  void add_prompt(const std::string& where, const PromptRecord& record, bool others_have_questions);
  /** Warns of an id that an earlier line has. */
  void check_ids(const std::string& where, const nlohmann::json& object);
  void fault(const std::string& sentence) { add_sentence(sentence, &report.faults, &report.fault_count); }

  DataReport report;

 private:
  void warn(const std::string& sentence) { add_sentence(sentence, &report.warnings, &report.warning_count); }
  void count_prompt(const std::string& prompt);
  void check_text(const std::string& where, const std::string& name, const std::string& text);
  void check_image(const std::string& where, const fs::path& path);

  std::set<std::string> prompts_;
  std::map<std::string, std::string> lines_of_ids_;
};

void FileCheck::count_prompt(const std::string& prompt) {
  const int64_t length = characters(prompt);
  report.shortest_prompt = report.records == 1 ? length : std::min(report.shortest_prompt, length);
  report.longest_prompt = std::max(report.longest_prompt, length);
  report.mean_prompt += (static_cast<double>(length) - report.mean_prompt) / static_cast<double>(report.records);
  if (!prompts_.insert(prompt).second) ++report.repeated_prompts;
}

void FileCheck::check_text(const std::string& where, const std::string& name, const std::string& text) {
  if (const std::string_view token = control_token(text); !token.empty())
    warn(cat(where, ": the ", name, " holds ", token, ", which the model reads as a control token, not as text"));
}

void FileCheck::check_image(const std::string& where, const fs::path& path) {
  try {
    check_image_exists(where, path);
  } catch (const Error& error) {
    return fault(one_line(error));
  }
  try {
    DecodingNotes notes;
    const Image image = read_image(path, &notes);
    ++report.image_sizes[{image.width, image.height}];
    report.turned_images += notes.turned;
    report.cmyk_images += notes.cmyk;
  } catch (const Error& error) {
    fault(cat(where, ": ", one_line(error)));
  }
}

void FileCheck::add_example(const std::string& where, const ExampleRecord& record) {
  ++report.records;
  report.with_thinking += record.thinking.has_value();
  report.with_image += record.image.has_value();
  report.with_sources += !record.sources.empty();
  count_prompt(record.prompt);
  check_text(where, "prompt", record.prompt);
  if (record.thinking) check_text(where, "thinking", *record.thinking);
  if (record.thinking && !parse_think(*record.thinking).well_formed)
    warn(cat(where, ": thinking is not of the form <think> reasoning </think> refined prompt"));
  for (const fs::path& source : record.sources) check_image(where, source);
  if (record.image) check_image(where, *record.image);
}

void FileCheck::add_prompt(const std::string& where, const PromptRecord& record, bool others_have_questions) {
  ++report.records;
  report.with_questions += !record.questions.empty();
  count_prompt(record.text);
  check_text(where, "prompt", record.text);
  for (const AtomicQuestion& question : record.questions) ++report.tags[question.kind][question.tag];
  if (record.questions.empty() && others_have_questions)
    warn(cat(where, ": a prompt without questions, which a reward that asks them cannot score"));
}

void FileCheck::check_ids(const std::string& where, const nlohmann::json& object) {
  for (const char* key : {"id", "original_index"}) {
    if (!object.contains(key)) continue;
    const std::string id = cat(key, ' ', object[key].dump());
    const auto [earlier, is_new] = lines_of_ids_.insert({id, where});
    if (!is_new) warn(cat(where, ": the ", id, " is also that of ", earlier->second));
  }
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
  const bool is_plain_text = path.extension() == ".txt";
  const KeysOfLines keys = is_plain_text ? KeysOfLines{.prompt = true} : keys_of_lines(path);
  FileCheck check;
  check.report.is_question_file = keys.are_of_prompts();
  check.report.lines = visit_data_lines(path, [&](const std::string& where, std::string_view text) {
    try {
      if (is_plain_text) {
        check_utf8(where, text);
        return check.add_prompt(where, {std::string(text), "{}", {}}, /*others_have_questions=*/false);
      }
      const nlohmann::json object = parse_object(where, text);
      if (keys.are_of_prompts()) {
        check.add_prompt(where, parse_prompt_record(where, object), keys.questions);
        check.check_ids(where, object);
      } else {
        check.add_example(where, parse_example_record(where, object, path.parent_path()));
      }
    } catch (const Error& error) {
      check.fault(one_line(error));
    }
  });
  if (check.report.records == 0 && check.report.fault_count == 0)
    check.fault(
        cat(path.string(), ": expected one example or prompt a line, got ",
            check.report.lines.lines == 0 ? "an empty file" : "none in " + cat(check.report.lines.lines, " lines")));
  return check.report;
}

}  // namespace diptych
