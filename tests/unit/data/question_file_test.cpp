#include "diptych/data/question_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

using nlohmann::json;

json question(const std::string& kind, const std::string& text, const std::string& tag) {
  return {{"question_type", kind}, {"question", text}, {"is_valid", true}, {"tag", tag}};
}

json record() {
  return {{"prompt", "a cat"},
          {"original_index", 3},
          {"semantic_questions", {question("semantic", "Is there a cat?", "Existence")}},
          {"quality_questions", {question("quality", "Is the fur fluffy?", "Texture")}}};
}

class QuestionFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& contents) const {
    write_file_atomic(path_, contents);
    return path_;
  }
  void expect_fault(const json& object, const std::vector<std::string>& parts) const {
    std::vector<std::string> all = parts;
    all.push_back("q.jsonl:2");
    expect_error([&] { read_question_records(write(record().dump() + "\n" + object.dump() + "\n")); }, ExitCode::data,
                 all);
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "q.jsonl";
};

TEST_F(QuestionFile, ReadsTheReleasedExampleAndWritesItBack) {
  const json example =
      json::parse(read_file(std::filesystem::path(DIPTYCH_SOURCE_DIR) / "tests/data/dvreward/example_record.json"));
  const std::vector<QuestionRecord> records = read_question_records(write(example.dump()));
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].prompt, example["prompt"]);
  ASSERT_EQ(records[0].questions.size(), 5u);
  EXPECT_EQ(records[0].questions[2].text, "Is the cat red?");
  EXPECT_EQ(records[0].questions[2].tag, "Attribute");
  EXPECT_EQ(records[0].questions[2].id, "s3");
  EXPECT_EQ(records[0].questions[3].kind, "quality");
  EXPECT_EQ(records[0].questions[3].id, "q1");
  EXPECT_EQ(json::parse(question_record_json(records[0]).dump()), example);
}

TEST_F(QuestionFile, KeepsTheUsersKeysButNotThoseOfTheFormat) {
  const QuestionRecord kept{"a cat",
                            4,
                            {{"semantic", "Text", "Is it?", "s1"}},
                            R"({"colour": "red", "original_index": 9, "quality_questions": [1], "tags": [1, 2]})"};
  const json object = json::parse(question_record_json(kept).dump());
  EXPECT_EQ(object["colour"], "red");
  EXPECT_EQ(object["tags"], json({1, 2}));
  EXPECT_EQ(object["original_index"], 4);
  EXPECT_TRUE(object["quality_questions"].empty());
}

TEST_F(QuestionFile, WritesWhatItReads) {
  const std::vector<QuestionRecord> records = {
      {"a \"quoted\" caf\xc3\xa9", 0, {{"semantic", "Text", "Does it read \"caf\xc3\xa9\"?", "s1"}}},
      {"two", 5, {{"semantic", "Own class", "Are there two?", "s1"}, {"quality", "Physics", "Is it real?", "q1"}}}};
  write_question_records(path_, records);
  const std::vector<QuestionRecord> read = read_question_records(path_);
  ASSERT_EQ(read.size(), 2u);
  for (size_t i = 0; i < read.size(); ++i) EXPECT_EQ(question_record_json(read[i]), question_record_json(records[i]));
  EXPECT_EQ(read[1].questions[0].tag, "Own class");
}

TEST_F(QuestionFile, FaultsNameLineListAndQuestion) {
  json object = record();
  object.erase("quality_questions");
  expect_fault(object, {"'quality_questions'"});
  object = record();
  object["semantic_questions"] = json::array();
  expect_fault(object, {"at least one question under 'semantic_questions'"});
  object = record();
  object["semantic_questions"] = "Is there a cat?";
  expect_fault(object, {"a list for 'semantic_questions'", "JSON string"});
  object = record();
  object["quality_questions"][0].erase("tag");
  expect_fault(object, {"quality_questions[0]", "'tag'"});
  object = record();
  object["quality_questions"][0]["question_type"] = "semantic";
  expect_fault(object, {"quality_questions[0]", "\"quality\""});
  object = record();
  object["semantic_questions"][0]["is_valid"] = false;
  expect_fault(object, {"semantic_questions[0]", "is_valid true", "false"});
  object = record();
  object["semantic_questions"].push_back("Is there a cat?");
  expect_fault(object, {"semantic_questions[1]", "JSON string"});
  object = record();
  object["semantic_questions"][0]["question"] = " ";
  expect_fault(object, {"'question'", "empty"});
  object = record();
  object["original_index"] = "3";
  expect_fault(object, {"'original_index'"});
  expect_error([&] { read_question_records(write("\n")); }, ExitCode::data, {"q.jsonl", "empty file"});
}

}  // namespace
}  // namespace diptych
