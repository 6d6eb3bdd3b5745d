#include "diptych/data/question_file.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/data/data_lines.h"
#include "diptych/io/atomic_file.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr std::string_view kKinds[] = {"semantic", "quality"};

std::string list_key(std::string_view kind) {
  return cat(kind, "_questions");
}

void check_key(const std::string& where, const json& object, const std::string& key) {
  if (!object.contains(key)) throw Error(ExitCode::data, {where, cat("the key '", key, "'"), "no such key", ""});
}

AtomicQuestion parse_question(const std::string& where, const json& object, std::string_view kind) {
  if (!object.is_object())
    throw Error(ExitCode::data, {where, "an object with question_type, question, is_valid and tag",
                                 cat("a JSON ", object.type_name()), ""});
  for (const char* key : {"question_type", "question", "is_valid", "tag"}) check_key(where, object, key);
  AtomicQuestion question{.kind = text_field(where, object, "question_type"),
                          .tag = text_field(where, object, "tag"),
                          .text = text_field(where, object, "question"),
                          .id = {}};
  if (question.kind != kind)
    throw Error(ExitCode::data, {where, cat("the question_type \"", kind, "\""), cat('"', question.kind, '"'), ""});
  if (object["is_valid"] != json(true))
    throw Error(ExitCode::data, {where, "is_valid true", object["is_valid"].dump(),
                                 "take questions that are not valid out of the file"});
  return question;
}

void parse_list(const std::string& where, const json& object, std::string_view kind,
                std::vector<AtomicQuestion>* questions) {
  const std::string key = list_key(kind);
  check_key(where, object, key);
  const json& list = object[key];
  if (!list.is_array())
    throw Error(ExitCode::data, {where, cat("a list for '", key, "'"), cat("a JSON ", list.type_name()), ""});
  for (size_t index = 0; index < list.size(); ++index) {
    const std::string place = cat(where, ": ", key, "[", index, "]");
    questions->push_back(parse_question(place, list[index], kind));
    questions->back().id = cat(kind.front(), index + 1);
  }
}

}  // namespace

bool has_questions(const json& object) {
  return object.contains("semantic_questions") || object.contains("quality_questions");
}

std::vector<AtomicQuestion> parse_questions(const std::string& where, const json& object) {
  std::vector<AtomicQuestion> questions;
  parse_list(where, object, "semantic", &questions);
  if (questions.empty())
    throw Error(ExitCode::data, {where, "at least one question under 'semantic_questions'", "an empty list", ""});
  parse_list(where, object, "quality", &questions);
  return questions;
}

std::vector<QuestionRecord> read_question_records(const fs::path& path) {
  std::vector<QuestionRecord> records;
  const LineCounts counts = visit_data_lines(path, [&](const std::string& where, std::string_view text) {
    const json object = parse_object(where, text);
    for (const char* key : {"prompt", "original_index"}) check_key(where, object, key);
    if (!object["original_index"].is_number_integer())
      throw Error(ExitCode::data, {where, "a whole number for 'original_index'", object["original_index"].dump(), ""});
    records.push_back(
        {text_field(where, object, "prompt"), object["original_index"].get<int64_t>(), parse_questions(where, object)});
  });
  log_skipped_lines(path, counts);
  if (records.empty())
    throw Error(ExitCode::data, {path.string(), "one prompt with its questions a line", "an empty file", ""});
  return records;
}

nlohmann::ordered_json question_record_json(const QuestionRecord& record) {
  nlohmann::ordered_json object = {{"prompt", record.prompt}, {"original_index", record.original_index}};
  const auto own = nlohmann::ordered_json::parse(record.metadata.empty() ? "{}" : record.metadata);
  for (const auto& [key, value] : own.items())
    if (!object.contains(key) && !has_questions({{key, nullptr}})) object[key] = value;
  for (const std::string_view kind : kKinds) {
    nlohmann::ordered_json list = nlohmann::ordered_json::array();
    for (const AtomicQuestion& question : record.questions)
      if (question.kind == kind)
        list.push_back(
            {{"question_type", question.kind}, {"question", question.text}, {"is_valid", true}, {"tag", question.tag}});
    object[list_key(kind)] = std::move(list);
  }
  return object;
}

void write_question_records(const fs::path& path, const std::vector<QuestionRecord>& records) {
  AtomicFile file(path);
  for (const QuestionRecord& record : records) {
    const std::string line = question_record_json(record).dump() + "\n";
    file.write(line.data(), line.size());
  }
  file.commit();
}

}  // namespace diptych
