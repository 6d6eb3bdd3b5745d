#include "diptych/data/check.h"

#include <gtest/gtest.h>

#include "diptych/io/files.h"
#include "diptych/io/image/image.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

using Sizes = std::map<std::pair<int, int>, int64_t>;

class Check : public ::testing::Test {
 protected:
  Check() { write_png(folder_.path() / "red.png", {1, 2, {255, 0, 0, 255, 0, 0}}); }
  DataReport check(const std::string& contents) const {
    write_file_atomic(path_, contents);
    return check_data(path_);
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "examples.jsonl";
};

void expect_parts(const std::string& sentence, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) EXPECT_NE(sentence.find(part), std::string::npos) << part << " in " << sentence;
}

TEST_F(Check, CountsWhatAFileHolds) {
  const DataReport report = check(
      "{\"prompt\": \"four\", \"thinking\": \"<think> a </think> b\"}\n"
      "{\"prompt\": \"\xc3\xa9\", \"image\": \"red.png\"}\n"
      "{\"prompt\": \"ten letter\", \"sources\": [\"red.png\"], \"image\": \"red.png\"}\n");
  EXPECT_EQ(report.records, 3);
  EXPECT_EQ(report.with_thinking, 1);
  EXPECT_EQ(report.with_image, 2);
  EXPECT_EQ(report.with_sources, 1);
  EXPECT_EQ(report.shortest_prompt, 1);
  EXPECT_EQ(report.longest_prompt, 10);
  EXPECT_DOUBLE_EQ(report.mean_prompt, 5.0);
  EXPECT_EQ(report.image_sizes, (Sizes{{{2, 1}, 3}}));
  EXPECT_EQ(report.fault_count, 0);
  EXPECT_TRUE(report.faults.empty());
  EXPECT_EQ(report.warning_count, 0);
}

TEST_F(Check, GoesOnAfterAFault) {
  write_file_atomic(folder_.path() / "text.png", "no picture");
  const DataReport report = check(
      "{\"prompt\": \"a\"\n"
      "{\"prmpt\": \"a\", \"image\": \"red.png\"}\n"
      "{\"prompt\": \"a\", \"image\": \"text.png\", \"sources\": [\"none.png\", \"red.png\"]}\n"
      "{\"prompt\": \"a\", \"image\": \"red.png\"}\n");
  EXPECT_EQ(report.records, 2);
  EXPECT_EQ(report.image_sizes, (Sizes{{{2, 1}, 2}}));
  EXPECT_EQ(report.fault_count, 4);
  ASSERT_EQ(report.faults.size(), 4u);
  expect_parts(report.faults[0], {path_.string() + ":1: ", "broken JSON"});
  expect_parts(report.faults[1], {path_.string() + ":2: ", "did you mean 'prompt'?"});
  expect_parts(report.faults[2], {path_.string() + ":3: ", "none.png"});
  expect_parts(report.faults[3], {path_.string() + ":3: ", "text.png", "PNG or JPEG"});
  for (const std::string& fault : report.faults) EXPECT_EQ(fault.find('\n'), std::string::npos) << fault;
}

TEST_F(Check, ThinkingWithoutItsTagsIsAWarning) {
  const DataReport report = check(
      "{\"prompt\": \"a\", \"thinking\": \"<think> a </think> b\"}\n"
      "{\"prompt\": \"a\", \"thinking\": \"<think> a b\"}\n");
  EXPECT_EQ(report.fault_count, 0);
  EXPECT_EQ(report.warning_count, 1);
  ASSERT_EQ(report.warnings.size(), 1u);
  expect_parts(report.warnings[0], {path_.string() + ":2: ", "</think>"});
}

TEST_F(Check, CountsTheQuestionsOfPrompts) {
  const auto question = [](const std::string& kind, const std::string& tag) {
    return "{\"question_type\": \"" + kind + "\", \"question\": \"Is it?\", \"is_valid\": true, \"tag\": \"" + tag +
           "\"}";
  };
  const std::string count = question("semantic", "Count");
  const DataReport report = check("{\"prompt\": \"a\", \"semantic_questions\": [" + count + ", " + count +
                                  "], \"quality_questions\": [" + question("quality", "Physics") +
                                  "]}\n"
                                  "{\"prompt\": \"b\"}\n"
                                  "{\"prompt\": \"c\", \"semantic_questions\": 1, \"quality_questions\": []}\n");
  EXPECT_TRUE(report.is_question_file);
  EXPECT_EQ(report.records, 2);
  EXPECT_EQ(report.with_questions, 1);
  EXPECT_EQ(report.tags.at("semantic").at("Count"), 2);
  EXPECT_EQ(report.tags.at("quality").at("Physics"), 1);
  ASSERT_EQ(report.warnings.size(), 1u);
  expect_parts(report.warnings[0], {path_.string() + ":2: ", "without questions"});
  ASSERT_EQ(report.faults.size(), 1u);
  expect_parts(report.faults[0], {path_.string() + ":3: ", "semantic_questions"});
}

TEST_F(Check, PromptsNeedNoQuestions) {
  const DataReport report = check(
      "{\"prompt\": \"a photo of two dogs\", \"tag\": \"counting\", \"include\": [{\"class\": \"dog\", \"count\": "
      "2}]}\n"
      "{\"prompt\": \"a cat\"}\n"
      "{\"prompt\": 3}\n");
  EXPECT_TRUE(report.is_question_file);
  EXPECT_EQ(report.records, 2);
  EXPECT_EQ(report.with_questions, 0);
  EXPECT_EQ(report.longest_prompt, 19);
  EXPECT_EQ(report.warning_count, 0);
  ASSERT_EQ(report.faults.size(), 1u);
  expect_parts(report.faults[0], {path_.string() + ":3: ", "string for 'prompt'"});
}

TEST_F(Check, QuestionsMayBeginBehindTheFirstLine) {
  const DataReport report = check(
      "{\"prompt\": \"a\"}\n"
      "{\"prompt\": \"b\", \"semantic_questions\": [{\"question_type\": \"semantic\", \"question\": \"Is it?\", "
      "\"is_valid\": true, \"tag\": \"Count\"}], \"quality_questions\": []}\n");
  EXPECT_TRUE(report.is_question_file);
  EXPECT_EQ(report.with_questions, 1);
  EXPECT_EQ(report.fault_count, 0);
  ASSERT_EQ(report.warnings.size(), 1u);
  expect_parts(report.warnings[0], {path_.string() + ":1: ", "without questions"});
}

TEST_F(Check, OneTargetMakesAFileOfExamples) {
  const DataReport report = check(
      "{\"prompt\": \"a\", \"imge\": \"red.png\"}\n"
      "{\"prompt\": \"a\"}\n"
      "{\"prompt\": \"a\", \"image\": \"red.png\"}\n");
  EXPECT_FALSE(report.is_question_file);
  EXPECT_EQ(report.records, 1);
  ASSERT_EQ(report.faults.size(), 2u);
  expect_parts(report.faults[0], {path_.string() + ":1: ", "did you mean 'image'?"});
  expect_parts(report.faults[1], {path_.string() + ":2: ", "'thinking', 'image' or both"});
}

TEST_F(Check, CountsTheLinesThatHoldNothing) {
  const DataReport report = check("\n{\"prompt\": \"a\", \"thinking\": \"b\"}\r\n  \n# no comment");
  EXPECT_EQ(report.lines.lines, 4);
  EXPECT_EQ(report.lines.blank, 2);
  EXPECT_EQ(report.lines.comments, 0);
  EXPECT_EQ(report.records, 1);
  ASSERT_EQ(report.faults.size(), 1u);
  expect_parts(report.faults[0], {path_.string() + ":4: ", "broken JSON"});
}

TEST_F(Check, ReadsPlainPrompts) {
  const std::filesystem::path file = folder_.path() / "prompts.txt";
  write_file_atomic(file, "# two\na cat \n\na dog\na \xff\na cat\n<|im_start|>a\n");
  const DataReport report = check_data(file);
  EXPECT_TRUE(report.is_question_file);
  EXPECT_EQ(report.lines.lines, 7);
  EXPECT_EQ(skipped_lines(report.lines), "1 blank, 1 that begins with #");
  EXPECT_EQ(report.lines.trimmed, 1);
  EXPECT_EQ(report.records, 4);
  EXPECT_EQ(report.repeated_prompts, 1);
  EXPECT_EQ(report.longest_prompt, 13);
  ASSERT_EQ(report.faults.size(), 1u);
  expect_parts(report.faults[0], {file.string() + ":5: ", "UTF-8"});
  ASSERT_EQ(report.warnings.size(), 1u);
  expect_parts(report.warnings[0], {file.string() + ":7: ", "<|im_start|>", "control token"});
}

TEST_F(Check, WarnsOfControlTokensAndOfRepeatedIds) {
  const DataReport report = check(
      "{\"prompt\": \"a <|not one|> <| <|im_end|>\", \"thinking\": \"<think> a </think> <|vision_start|>\"}\n"
      "{\"prompt\": \"a <||> b | c\", \"thinking\": \"<think> a </think> b\"}\n");
  EXPECT_EQ(report.fault_count, 0);
  ASSERT_EQ(report.warnings.size(), 2u);
  expect_parts(report.warnings[0], {":1: the prompt holds <|im_end|>"});
  expect_parts(report.warnings[1], {":1: the thinking holds <|vision_start|>"});
  const DataReport prompts = check(
      "{\"prompt\": \"a\", \"id\": 1}\n{\"prompt\": \"b\", \"id\": \"1\"}\n{\"prompt\": \"c\", \"id\": 1, "
      "\"original_index\": 1}\n");
  ASSERT_EQ(prompts.warnings.size(), 1u);
  expect_parts(prompts.warnings[0], {path_.string() + ":3: the id 1 is also that of ", path_.string() + ":1"});
}

TEST_F(Check, ImagesAreSeenUpright) {
  std::vector<uint8_t> jpeg = encode_jpeg({1, 2, {255, 0, 0, 255, 0, 0}}, 90);
  const std::string marker(
      "\xff\xe1\0\x22"
      "Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
      36);
  jpeg.insert(jpeg.begin() + 2, marker.begin(), marker.end());
  write_file_atomic(folder_.path() / "phone.jpg", {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()});
  const DataReport report = check("{\"prompt\": \"a\", \"image\": \"phone.jpg\", \"sources\": [\"red.png\"]}\n");
  EXPECT_EQ(report.image_sizes, (Sizes{{{1, 2}, 1}, {{2, 1}, 1}}));
  EXPECT_EQ(report.turned_images, 1);
  EXPECT_EQ(report.cmyk_images, 0);
}

TEST_F(Check, KeepsTheFirstFaultsAndCountsAll) {
  std::string lines;
  for (size_t line = 0; line < kMostSentences + 7; ++line) lines += "{}\n";
  const DataReport report = check(lines);
  EXPECT_EQ(report.records, 0);
  EXPECT_EQ(report.faults.size(), kMostSentences);
  EXPECT_EQ(report.fault_count, static_cast<int64_t>(kMostSentences) + 7);
}

TEST_F(Check, AnEmptyFileIsAFault) {
  EXPECT_EQ(check("\n").fault_count, 1);
  expect_error([&] { check_data(folder_.path() / "none.jsonl"); }, ExitCode::data, {"none.jsonl"});
}

TEST(CheckOfTheRecipes, FindsNoFault) {
  const DataReport report =
      check_data(std::filesystem::path(DIPTYCH_SOURCE_DIR) / "recipes" / "data" / "sft_example.jsonl");
  EXPECT_EQ(report.fault_count, 0);
  EXPECT_EQ(report.warning_count, 0);
  EXPECT_GT(report.with_sources, 0);
}

}  // namespace
}  // namespace diptych
