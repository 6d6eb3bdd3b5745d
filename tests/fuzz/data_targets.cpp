#include <nlohmann/json.hpp>

#include "diptych/data/check.h"
#include "diptych/data/example_file.h"
#include "diptych/data/prompt_file.h"
#include "diptych/data/question_file.h"
#include "diptych/io/image/image.h"
#include "diptych/io/json_lines.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

/** As a run reads its metrics: whole, cut back for a resume, and mended when it is opened to go on. */
void read_metrics(std::span<const std::byte> bytes) {
  const std::filesystem::path file = scratch_file("metrics.jsonl", bytes);
  { const JsonLinesWriter mended(file); }
  keep_lines_up_to_step(file, 5);
  int64_t lines = 0;
  read_json_lines(file, [&](int64_t, const nlohmann::json& value) {
    ++lines;
    static_cast<void>(value.dump());
  });
  JsonLinesWriter(file).write({{"step", 6}});
  read_json_lines(file, [&](int64_t, const nlohmann::json&) { --lines; });
  require(lines == -1, "a line that was written and cannot be read");
}

void check_prompts(const std::vector<PromptRecord>& prompts) {
  for (const PromptRecord& prompt : prompts) {
    require(!prompt.text.empty(), "an empty prompt");
    require(nlohmann::json::parse(prompt.metadata).is_object(), "metadata that are no object");
  }
}

void read_prompt_lines(std::span<const std::byte> bytes) {
  check_prompts(read_prompts(scratch_file("prompts.jsonl", bytes)));
}

void read_prompt_text(std::span<const std::byte> bytes) {
  check_prompts(read_prompts(scratch_file("prompts.txt", bytes)));
}

void read_questions(std::span<const std::byte> bytes) {
  const std::filesystem::path file = scratch_file("questions.jsonl", bytes);
  const DataReport report = check_data(file);
  const std::vector<QuestionRecord> records = read_question_records(file);
  for (const QuestionRecord& record : records) {
    require(!record.questions.empty(), "a prompt without questions");
    static_cast<void>(question_record_json(record).dump());
  }
}

/** The corpus names images that lie beside the input. */
void read_examples(std::span<const std::byte> bytes) {
  static const bool made_images = [] {
    const Image image{2, 2, std::vector<uint8_t>(12, 200)};
    const std::vector<uint8_t> png = encode_png(image);
    scratch_file("a.png", std::as_bytes(std::span(png)));
    scratch_file("broken.png", "no image");
    return true;
  }();
  static_cast<void>(made_images);
  const std::filesystem::path file = scratch_file("examples.jsonl", bytes);
  const DataReport report = check_data(file);
  require(report.faults.size() <= kMostSentences && report.warnings.size() <= kMostSentences, "an endless report");
  for (const ExampleRecord& record : read_example_records(file)) static_cast<void>(load_example(record));
}

const std::vector<std::string_view> kKeys = {"\"prompt\"",
                                             "\"instruction\"",
                                             "\"thinking\"",
                                             "\"image\"",
                                             "\"sources\"",
                                             "\"a.png\"",
                                             "\"broken.png\"",
                                             "[\"a.png\"]",
                                             "\"semantic_questions\"",
                                             "\"quality_questions\"",
                                             "\"question_type\"",
                                             "\"is_valid\"",
                                             "\"tag\"",
                                             "\"question\"",
                                             "\"original_index\"",
                                             "\"step\"",
                                             "\xef\xbb\xbf",
                                             "<think>",
                                             "</think>",
                                             "#"};

}  // namespace

std::vector<Target> data_targets() {
  return {{.name = "metrics", .read = read_metrics, .words = {"\"step\"", "\"step\":7}\n", "}\n{", "null", "\n\n"}},
          {.name = "prompts_jsonl", .read = read_prompt_lines, .words = kKeys},
          {.name = "prompts_txt", .read = read_prompt_text, .words = kKeys},
          {.name = "questions", .read = read_questions, .words = kKeys},
          {.name = "examples", .read = read_examples, .words = kKeys}};
}

}  // namespace diptych::fuzz
