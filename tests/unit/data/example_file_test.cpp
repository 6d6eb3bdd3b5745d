#include "diptych/data/example_file.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <thread>

#include "diptych/base/text_format.h"
#include "diptych/data/example_config.h"
#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

using nlohmann::json;

class ExampleFile : public ::testing::Test {
 protected:
  ExampleFile() {
    write_png(folder_.path() / "red.png", {1, 2, {255, 0, 0, 255, 0, 0}});
    write_png(folder_.path() / "blue.png", {2, 1, {0, 0, 255, 0, 0, 255}});
  }
  void write(const std::string& contents) const { write_file_atomic(path_, contents); }
  /** `size` records with the prompts "0", "1", ... */
  void write_numbered(int size) const {
    std::string lines;
    for (int index = 0; index < size; ++index) lines += json{{"prompt", cat(index)}, {"thinking", "x"}}.dump() + "\n";
    write(lines);
  }
  void expect_fault(const std::string& line, const std::vector<std::string>& parts) const {
    write("{\"prompt\": \"fine\", \"image\": \"red.png\"}\n\n" + line + "\n");
    std::vector<std::string> all = {path_.string() + ":3"};
    all.insert(all.end(), parts.begin(), parts.end());
    expect_error([&] { read_example_records(path_); }, ExitCode::data, all);
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "examples.jsonl";
};

std::vector<std::string> prompts(const ExampleSource& source, uint64_t batch, uint64_t first, uint64_t count) {
  std::vector<std::string> texts;
  for (uint64_t draw = first; draw < first + count; ++draw) texts.push_back(source(draw / batch, draw % batch).prompt);
  return texts;
}

TEST_F(ExampleFile, ReadsEveryKey) {
  write(
      "\xef\xbb\xbf{\"prompt\": \"a\", \"thinking\": \"<think> t </think> r\"}\r\n"
      "   \n"
      "{\"instruction\": \"b\", \"sources\": [\"red.png\", \"blue.png\"], \"image\": \"blue.png\"}");
  const std::vector<ExampleRecord> records = read_example_records(path_);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].prompt, "a");
  EXPECT_EQ(records[0].thinking, "<think> t </think> r");
  EXPECT_FALSE(records[0].image.has_value());
  EXPECT_TRUE(records[0].sources.empty());
  const SupervisedExample example = load_example(records[1]);
  EXPECT_EQ(example.prompt, "b");
  EXPECT_FALSE(example.thinking.has_value());
  ASSERT_EQ(example.sources.size(), 2u);
  EXPECT_EQ(example.sources[0].width, 2);
  EXPECT_EQ(example.sources[1].height, 2);
  ASSERT_TRUE(example.image.has_value());
  EXPECT_EQ(example.image->pixels, (std::vector<uint8_t>{0, 0, 255, 0, 0, 255}));
}

TEST_F(ExampleFile, FaultsNameFileLineAndWhatIsWrong) {
  expect_fault(R"({"prompt": "a", "thnking": "b"})", {"'thnking'", "did you mean 'thinking'?"});
  expect_fault(R"({"thinking": "b"})", {"a 'prompt'", "neither"});
  expect_fault(R"({"prompt": "a", "instruction": "a", "thinking": "b"})", {"both"});
  expect_fault(R"({"prompt": "a"})", {"'thinking', 'image' or both"});
  expect_fault(R"({"prompt": " ", "thinking": "b"})", {"text for 'prompt'", "empty"});
  expect_fault(R"({"prompt": 3, "thinking": "b"})", {"string for 'prompt'", "number"});
  expect_fault(R"({"prompt": "a", "thinking": null})", {"'thinking'", "null", "leave the key out"});
  expect_fault(R"({"prompt": "a", "image": "red.png", "sources": "red.png"})", {"list of paths", "string"});
  expect_fault(R"({"prompt": "a", "image": "red.png", "sources": [1]})", {"string for 'sources'", "number"});
  expect_fault(R"({"prompt": "a", "image": "green.png"})", {"no file", "green.png"});
  expect_fault(R"({"prompt": "a", "image": "red.png", "sources": ["green.png"]})", {"green.png"});
  expect_fault(R"({"prompt": "a", "image": ")" + std::string(5000, 'a') + "\"}", {"no file"});
  expect_fault(R"({"prompt": "a")", {"broken JSON at byte"});
  expect_fault(R"(["prompt"])", {"JSON object", "array"});
  expect_fault("{\"prompt\": \"a\xff\", \"thinking\": \"b\"}", {"UTF-8", "position 14"});
}

TEST_F(ExampleFile, FilesWithoutRecordsAreRefused) {
  write("\n  \n");
  expect_error([&] { read_example_records(path_); }, ExitCode::data, {path_.string(), "empty"});
  expect_error([&] { read_example_records(folder_.path() / "no.jsonl"); }, ExitCode::data, {"no.jsonl", "nothing"});
  expect_error([&] { read_example_records(folder_.path()); }, ExitCode::data, {"folder"});
}

TEST_F(ExampleFile, AnEpochDrawsEachRecordOnce) {
  write_numbered(7);
  const ExampleSource source = jsonl_examples(path_, 3, 5);
  std::vector<std::vector<std::string>> epochs;
  for (uint64_t epoch = 0; epoch < 4; ++epoch) {
    epochs.push_back(prompts(source, 3, epoch * 7, 7));
    std::vector<std::string> sorted = epochs.back();
    std::sort(sorted.begin(), sorted.end());
    EXPECT_EQ(sorted, (std::vector<std::string>{"0", "1", "2", "3", "4", "5", "6"}));
  }
  EXPECT_NE(epochs[0], epochs[1]);
  EXPECT_NE(prompts(jsonl_examples(path_, 3, 6), 3, 0, 7), epochs[0]);
}

TEST_F(ExampleFile, DrawsDependOnTheirNumberAlone) {
  write_numbered(5);
  const std::vector<std::string> expected = prompts(jsonl_examples(path_, 4, 1), 4, 0, 24);
  EXPECT_EQ(prompts(jsonl_examples(path_, 3, 1), 3, 0, 24), expected) << "another batch size";
  const ExampleSource source = jsonl_examples(path_, 4, 1);
  for (uint64_t draw = 24; draw-- > 0;) EXPECT_EQ(source(draw / 4, draw % 4).prompt, expected[draw]) << "backwards";
}

TEST_F(ExampleFile, ThreadsMayDrawTogether) {
  write_numbered(5);
  const ExampleSource source = jsonl_examples(path_, 8, 2);
  const std::vector<std::string> expected = prompts(source, 8, 0, 80);
  std::array<std::vector<std::string>, 2> drawn;
  std::thread other([&] { drawn[0] = prompts(source, 8, 0, 80); });
  drawn[1] = prompts(source, 8, 0, 80);
  other.join();
  EXPECT_EQ(drawn[0], expected);
  EXPECT_EQ(drawn[1], expected);
}

TEST_F(ExampleFile, ConfigChoosesTheSource) {
  write_numbered(1);
  DataConfig config;
  config.mixture = {.paint = 0, .think = 1, .question = 0, .edit = 0, .reflect = 0, .review = 0};
  const SupervisedExample actual = make_examples(config, 2, 9)(2, 1);
  const SupervisedExample expected = shapes_examples(shapes::World{}, config.mixture, 9)(2, 1);
  EXPECT_EQ(actual.prompt, expected.prompt);
  EXPECT_EQ(actual.thinking, expected.thinking);
  EXPECT_EQ(actual.image->pixels, expected.image->pixels);

  config.source = "shapes_pictures";
  EXPECT_EQ(make_examples(config, 2, 9)(2, 1).image->pixels, shapes_pictures(shapes::World{}, 9)(2, 1).image->pixels);

  config.source = "jsonl";
  expect_error([&] { make_examples(config, 2, 0); }, ExitCode::config, {"data.path"});
  config.path = path_.string();
  EXPECT_EQ(make_examples(config, 2, 0)(3, 1).prompt, "0");
}

TEST(ExampleFileOfTheRecipes, Reads) {
  const auto path = std::filesystem::path(DIPTYCH_SOURCE_DIR) / "recipes" / "data" / "sft_example.jsonl";
  const ExampleSource source = jsonl_examples(path, 4, 0);
  for (uint64_t index = 0; index < 4; ++index) EXPECT_FALSE(source(0, index).prompt.empty());
}

}  // namespace
}  // namespace diptych
