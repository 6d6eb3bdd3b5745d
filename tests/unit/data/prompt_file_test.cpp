#include "diptych/data/prompt_file.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

using nlohmann::json;

class PromptFile : public ::testing::Test {
 protected:
  std::filesystem::path write(const std::string& name, const std::string& contents) const {
    write_file_atomic(folder_.path() / name, contents);
    return folder_.path() / name;
  }
  TemporaryFolder folder_;
};

TEST_F(PromptFile, TextHoldsOnePromptALine) {
  const auto prompts = read_prompts(write("p.txt", "# comment\n a cat \r\n\n  # indented comment\na \xc3\xa9 #1"));
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].text, "a cat");
  EXPECT_EQ(prompts[0].metadata, "{}");
  EXPECT_EQ(prompts[1].text, "a \xc3\xa9 #1");
}

TEST_F(PromptFile, JsonLinesKeepTheirMetadata) {
  const auto prompts =
      read_prompts(write("p.jsonl",
                         "{\"prompt\": \"a cat\", \"tag\": \"single_object\", \"include\": [{\"count\": 1}]}\n"
                         "{\"prompt\": \"# no comment\"}\n"));
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].text, "a cat");
  EXPECT_EQ(json::parse(prompts[0].metadata), json::parse(R"({"tag": "single_object", "include": [{"count": 1}]})"));
  EXPECT_EQ(prompts[1].text, "# no comment");
  EXPECT_EQ(prompts[1].metadata, "{}");
}

TEST_F(PromptFile, JsonLinesCarryTheirQuestions) {
  const std::string semantic =
      R"({"question_type": "semantic", "question": "Is there a cat?", "is_valid": true, "tag": "Existence"})";
  const auto prompts =
      read_prompts(write("q.jsonl", "{\"prompt\": \"a cat\", \"original_index\": 4, \"semantic_questions\": [" +
                                        semantic + "], \"quality_questions\": []}\n{\"prompt\": \"a dog\"}\n"));
  ASSERT_EQ(prompts.size(), 2u);
  ASSERT_EQ(prompts[0].questions.size(), 1u);
  EXPECT_EQ(prompts[0].questions[0].text, "Is there a cat?");
  EXPECT_EQ(json::parse(prompts[0].metadata)["original_index"], 4);
  EXPECT_TRUE(prompts[1].questions.empty());
  const auto broken = write("r.jsonl", "\n{\"prompt\": \"a cat\", \"semantic_questions\": [" + semantic + "]}\n");
  expect_error([&] { read_prompts(broken); }, ExitCode::data, {"r.jsonl:2", "'quality_questions'"});
}

TEST_F(PromptFile, FaultsNameFileAndLine) {
  const auto expect = [&](const std::string& name, const std::string& contents, const std::vector<std::string>& parts) {
    const auto path = write(name, contents);
    expect_error([&] { read_prompts(path); }, ExitCode::data, parts);
  };
  expect("a.txt", "fine\n\nwrong \xff\n", {"a.txt:3", "UTF-8", "position 7"});
  expect("b.jsonl", "{\"prompt\": \"a\"}\n{\"text\": \"a\", \"id\": 1}", {"b.jsonl:2", "'prompt'", "'id', 'text'"});
  expect("c.jsonl", "{}", {"c.jsonl:1", "'prompt'", "no key"});
  expect("d.jsonl", "{\"prompt\": 1}", {"d.jsonl:1", "string for 'prompt'"});
  expect("e.jsonl", "a cat", {"e.jsonl:1", "broken JSON"});
  expect("i.jsonl", "{\"prompt\": \"a\", \"b\": 1e999}", {"i.jsonl:1", "broken JSON", "1e999"});
  expect("j.jsonl", "{\"prompt\": \"a\", \"b\": " + std::string(100'000, '[') + std::string(100'000, ']') + "}",
         {"j.jsonl:1", "broken JSON", "256 levels"});
  expect("f.txt", "# only a comment\n", {"f.txt", "no prompt"});
  expect("g.jsonl", "", {"g.jsonl", "no prompt"});
  expect("h.csv", "a cat\n", {"h.csv", ".txt or .jsonl"});
}

TEST_F(PromptFile, LinesEndAsOnAnySystem) {
  const auto texts = [&](const std::string& name, const std::string& contents) {
    std::vector<std::string> all;
    for (const PromptRecord& prompt : read_prompts(write(name, contents))) all.push_back(prompt.text);
    return all;
  };
  const std::vector<std::string> three = {"a cat", "a dog", "a cow"};
  EXPECT_EQ(texts("unix.txt", "a cat\na dog\na cow\n"), three);
  EXPECT_EQ(texts("windows.txt",
                  "\xef\xbb\xbf"
                  "a cat\r\na dog\r\n\r\na cow"),
            three);
  EXPECT_EQ(texts("mac.txt", "a cat\ra dog\r\ra cow\r"), three);
  EXPECT_EQ(texts("joined.txt",
                  "\xef\xbb\xbf"
                  "a cat\n\xef\xbb\xbf# a comment\n\xef\xbb\xbf"
                  "a dog\na cow"),
            three);
  EXPECT_EQ(texts("mac.jsonl", "{\"prompt\": \"a cat\"}\r{\"prompt\": \"a dog\"}\r\n{\"prompt\": \"a cow\"}"), three);
}

TEST_F(PromptFile, LinesThatArePassedOverAreCountedAndTold) {
  const auto path = write("p.txt", "\n# one\na cat\n \t\r\n  #two\na dog  \n");
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(read_prompts(path).size(), 2u);
  const std::string log = ::testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("p.txt: 4 of 6 lines passed over: 2 blank, 2 that begin with #; blanks cut off the ends of 1\n"),
            std::string::npos)
      << log;
  ::testing::internal::CaptureStderr();
  EXPECT_EQ(read_prompts(write("whole.txt", "a cat\na dog")).size(), 2u);
  EXPECT_EQ(::testing::internal::GetCapturedStderr(), "");
}

TEST_F(PromptFile, OtherEncodingsAreNamed) {
  using namespace std::string_literals;
  for (const std::string& contents : {"\xff\xfe"
                                      "a\0\n\0"s,
                                      "\xfe\xff\0a\0\n"s}) {
    const auto path = write("u.txt", contents);
    expect_error([&] { read_prompts(path); }, ExitCode::data, {"u.txt", "UTF-16", "iconv"});
  }
  const auto bare = write("b.txt",
                          "\n"
                          "a\0 \0c\0\n\0"s);
  expect_error([&] { read_prompts(bare); }, ExitCode::data, {"b.txt:2", "a zero byte at position 2", "UTF-16"});
  const auto zeros = write("z.jsonl", "{\"prompt\": \"a\"}\n\0\0\0\0"s);
  expect_error([&] { read_prompts(zeros); }, ExitCode::data, {"z.jsonl:2", "a zero byte at position 1"});
}

TEST_F(PromptFile, AKeyThatStandsTwiceIsAFault) {
  const auto path =
      write("t.jsonl", "{\"prompt\": \"a\", \"b\": {\"id\": 1}, \"id\": 2}\n{\"prompt\": \"a\", \"prompt\": \"b\"}");
  expect_error([&] { read_prompts(path); }, ExitCode::data, {"t.jsonl:2", "'prompt' twice"});
  const auto inner = write("i.jsonl", "{\"prompt\": \"a\", \"b\": [{\"id\": 1, \"id\": 2}]}");
  expect_error([&] { read_prompts(inner); }, ExitCode::data, {"i.jsonl:1", "'id' twice"});
}

TEST_F(PromptFile, ALongLineIsAPrompt) {
  const std::string text(5'000'000, 'a');
  EXPECT_EQ(read_prompts(write("long.txt", "a cat\n" + text)).back().text, text);
}

TEST_F(PromptFile, MissingFileSaysWhereItLooked) {
  expect_error([&] { read_prompts(folder_.path() / "no.txt"); }, ExitCode::data,
               {"no.txt", "nothing there", "hint", std::filesystem::current_path().string()});
}

TEST(PromptFileOfTheRecipes, Reads) {
  const auto prompts =
      read_prompts(std::filesystem::path(DIPTYCH_SOURCE_DIR) / "recipes" / "data" / "prompts_example.txt");
  EXPECT_FALSE(prompts.empty());
}

}  // namespace
}  // namespace diptych
