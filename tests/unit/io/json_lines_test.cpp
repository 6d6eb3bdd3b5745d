#include "diptych/io/json_lines.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

using nlohmann::json;

class JsonLines : public ::testing::Test {
 protected:
  std::vector<std::pair<int64_t, json>> read() const {
    std::vector<std::pair<int64_t, json>> lines;
    read_json_lines(path_, [&](int64_t line, const json& value) { lines.emplace_back(line, value); });
    return lines;
  }
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "metrics.jsonl";
};

TEST_F(JsonLines, AppendsAndIsVisibleAtOnce) {
  {
    JsonLinesWriter writer(path_);
    writer.write({{"step", 1}, {"loss", 0.5}});
    EXPECT_EQ(read_file(path_), "{\"loss\":0.5,\"step\":1}\n");
    writer.write({{"step", 2}, {"text", "two\nlines"}});
  }
  JsonLinesWriter(path_).write({{"step", 3}});
  const auto lines = read();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[1].first, 2);
  EXPECT_EQ(lines[1].second["text"], "two\nlines");
  EXPECT_EQ(lines[2].second["step"], 3);
}

TEST_F(JsonLines, NumbersThatAreNotFiniteBecomeNull) {
  JsonLinesWriter(path_).write({{"a", NAN}, {"b", -INFINITY}, {"c", 1e308}});
  const json value = read().at(0).second;
  EXPECT_TRUE(value["a"].is_null());
  EXPECT_TRUE(value["b"].is_null());
  EXPECT_EQ(value["c"], 1e308);
}

TEST_F(JsonLines, BytesThatAreNoUtf8AreReplaced) {
  JsonLinesWriter(path_).write({{"text", "a\xffz"}});
  EXPECT_EQ(read().at(0).second["text"], "a\xef\xbf\xbdz");
}

TEST_F(JsonLines, UnfinishedLastLineIsCutOrEnded) {
  write_file_atomic(path_, "{\"step\":1}\n{\"ste");
  JsonLinesWriter(path_).write({{"step", 2}});
  EXPECT_EQ(read_file(path_), "{\"step\":1}\n{\"step\":2}\n");
  write_file_atomic(path_, "{\"step\":1}");
  JsonLinesWriter(path_).write({{"step", 2}});
  EXPECT_EQ(read_file(path_), "{\"step\":1}\n{\"step\":2}\n");
}

TEST_F(JsonLines, ReaderSkipsBlankLinesAndNamesBadOnes) {
  write_file_atomic(path_, "\n{\"a\":1}\r\n  \n[2]");
  const auto lines = read();
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0].first, 2);
  EXPECT_EQ(lines[1].first, 4);
  write_file_atomic(path_, "{}\n{\"a\":}\n");
  expect_error([&] { read(); }, ExitCode::data, {"metrics.jsonl:2", "JSON"});
  std::filesystem::remove(path_);
  expect_error([&] { read(); }, ExitCode::io, {"metrics.jsonl"});
}

TEST_F(JsonLines, KeepsLeadingLinesUpToAStep) {
  const std::string head = "{\"version\":1}\n{\"step\":1}\n{\"step\":2}\n{\"note\":\"x\"}\n";
  const std::string tail = "{\"step\":3}\n{\"step\":2}\n{\"ste";
  write_file_atomic(path_, head + tail);
  EXPECT_EQ(keep_lines_up_to_step(path_, 2), 4);
  EXPECT_EQ(read_file(path_), head);
  EXPECT_EQ(keep_lines_up_to_step(path_, 100), 4);
  EXPECT_EQ(read_file(path_), head);
  EXPECT_EQ(keep_lines_up_to_step(path_, 0), 1);
  EXPECT_EQ(read_file(path_), "{\"version\":1}\n");
}

TEST_F(JsonLines, KeepDropsAnUnfinishedLineAndRefusesDamage) {
  write_file_atomic(path_, "{\"step\":1}\n{\"step\":2}");
  EXPECT_EQ(keep_lines_up_to_step(path_, 9), 1);
  EXPECT_EQ(read_file(path_), "{\"step\":1}\n");
  write_file_atomic(path_, "{\"step\":1}\n{oops}\n");
  expect_error([&] { keep_lines_up_to_step(path_, 9); }, ExitCode::data, {"metrics.jsonl:2"});
  EXPECT_EQ(keep_lines_up_to_step(folder_.path() / "none", 9), 0);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "none"));
}

}  // namespace
}  // namespace diptych
