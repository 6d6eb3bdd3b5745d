#include "diptych/reward/decompose/decompose_prompts.h"

#include <gtest/gtest.h>

#include "diptych/data/question_file.h"
#include "diptych/io/files.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

const std::filesystem::path kShipped = std::filesystem::path(DIPTYCH_SOURCE_DIR) / "assets/prompts/decompose";

TEST(DecomposePrompts, FillsPromptAndQuestionsOnce) {
  const DecomposeTemplates templates = {"A {prompt}", "B {prompt} {\"x\": {questions}}", "", ""};
  const std::string prompt = "a {questions} $1 \\ cat";
  const ChatRequest generate = decompose_request(DecomposeStage::generate, templates, prompt, {}, 2);
  ASSERT_EQ(generate.messages.size(), 1u);
  EXPECT_EQ(generate.messages[0].role, "user");
  EXPECT_EQ(generate.messages[0].parts.at(0).text, "A a {questions} $1 \\ cat");
  EXPECT_EQ(generate.temperature, 0.6);
  EXPECT_EQ(generate.top_p, 0.9);
  EXPECT_EQ(generate.seed, 2);
  EXPECT_EQ(generate.top_logprobs, 0);
  const ChatRequest validate = decompose_request(DecomposeStage::validate, templates, prompt, {"Is it \"a\"?"}, 0);
  EXPECT_EQ(validate.messages[0].parts.at(0).text,
            "B a {questions} $1 \\ cat {\"x\": [{\"number\":1,\"question\":\"Is it \\\"a\\\"?\"}]}");
  EXPECT_EQ(validate.temperature, 0.3);
}

TEST(DecomposePrompts, ShippedTemplatesNameEveryClass) {
  const DecomposeTemplates templates = read_decompose_templates(kShipped);
  for (const std::string_view tag : kSemanticTags)
    EXPECT_NE(templates[static_cast<size_t>(DecomposeStage::tag)].find("- " + std::string(tag) + ":"),
              std::string::npos)
        << tag;
  for (const std::string_view tag : kQualityTags)
    EXPECT_NE(templates[static_cast<size_t>(DecomposeStage::quality)].find("- " + std::string(tag) + ":"),
              std::string::npos)
        << tag;
}

TEST(DecomposePrompts, TemplatesNeedTheirPlaceholders) {
  const TemporaryFolder folder;
  for (const auto& entry : std::filesystem::directory_iterator(kShipped))
    std::filesystem::copy(entry.path(), folder.path());
  write_file_atomic(folder.path() / "tag.txt", "Sort {questions}");
  expect_error([&] { read_decompose_templates(folder.path()); }, ExitCode::config, {"tag.txt", "{prompt}"});
  write_file_atomic(folder.path() / "tag.txt", "Sort {questions} of {prompt} into {tags}");
  expect_error([&] { read_decompose_templates(folder.path()); }, ExitCode::config, {"tag.txt", "{tags}"});
  std::filesystem::remove(folder.path() / "tag.txt");
  expect_error([&] { read_decompose_templates(folder.path()); }, ExitCode::io, {"tag.txt"});
}

}  // namespace
}  // namespace diptych
