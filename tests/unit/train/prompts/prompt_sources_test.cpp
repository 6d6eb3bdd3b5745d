#include "diptych/train/prompts/prompt_sources.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "diptych/base/config/config.h"
#include "diptych/data/prompt_file.h"
#include "diptych/io/files.h"
#include "diptych/reward/shapes_task.h"
#include "support/expect_error.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

std::vector<std::string> texts_of(const PromptStream& stream, uint64_t first, uint64_t steps) {
  std::vector<std::string> texts;
  for (uint64_t step = first; step < first + steps; ++step)
    for (const TaskPrompt& prompt : stream(step)) texts.push_back(prompt.text);
  return texts;
}

class FilePromptsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    write_file_atomic(folder_.path() / "prompts.txt", "a\nb\nc\nd\ne\nf\ng\n");
    config_.source = "file";
    config_.path = folder_.path() / "prompts.txt";
  }

  TemporaryFolder folder_;
  PromptsConfig config_;
};

TEST_F(FilePromptsTest, EachPassCoversTheFileInAnOrderOfItsOwn) {
  for (const int64_t per_step : {1, 3, 7, 10}) {
    config_.per_step = per_step;
    const std::vector<std::string> texts = texts_of(make_prompt_stream(config_, 5), 0, 28);
    std::set<std::vector<std::string>> orders;
    for (size_t begin = 0; begin + 7 <= texts.size(); begin += 7) {
      const std::vector<std::string> pass(texts.begin() + begin, texts.begin() + begin + 7);
      EXPECT_EQ(std::set<std::string>(pass.begin(), pass.end()).size(), 7u);
      orders.insert(pass);
    }
    EXPECT_GT(orders.size(), 1u);
  }
}

TEST_F(FilePromptsTest, ThePromptsOfAStepDependOnNothingElse) {
  config_.per_step = 3;
  const PromptStream stream = make_prompt_stream(config_, 5);
  const std::vector<std::string> all = texts_of(stream, 0, 12);
  for (const uint64_t step : {11, 2, 5}) {
    const std::vector<std::string> expected(all.begin() + 3 * step, all.begin() + 3 * step + 3);
    EXPECT_EQ(texts_of(stream, step, 1), expected);
    EXPECT_EQ(texts_of(make_prompt_stream(config_, 5), step, 1), expected);
  }
  // The number of prompts a step deals out the same sequence.
  config_.per_step = 4;
  EXPECT_EQ(texts_of(make_prompt_stream(config_, 5), 0, 9), all);
  EXPECT_NE(texts_of(make_prompt_stream(config_, 6), 0, 9), all);
}

TEST_F(FilePromptsTest, TheFirstPromptIsThatOfTheFile) {
  for (const uint64_t seed : {0, 1, 2, 3})
    EXPECT_EQ(first_prompt(config_, seed).text, read_prompts(config_.path)[0].text);
  config_.source = "shapes";
  EXPECT_EQ(first_prompt(config_, 3).text, make_prompt_stream(config_, 3)(0)[0].text);
}

TEST_F(FilePromptsTest, AFileMustBeThere) {
  config_.path = folder_.path() / "missing.txt";
  expect_error([&] { make_prompt_stream(config_, 0); }, ExitCode::data, {"missing.txt"});
  config_.path = "";
  const std::vector<std::string> parts = {"prompts.path", "a prompts file, since prompts.source is \"file\""};
  expect_error([&] { make_prompt_stream(config_, 0); }, ExitCode::config, parts);
  expect_error([&] { first_prompt(config_, 0); }, ExitCode::config, parts);
}

TEST(PromptsConfigTest, SourcesAreChosenByName) {
  expect_error([] { override_config(PromptsConfig(), {"source=shape"}); }, ExitCode::config,
               {"shapes, shapes_edits, file", "'shape'"});
  expect_error([] { prompt_source("shape"); }, ExitCode::config, {"prompts.source", "shapes, shapes_edits, file"});
  EXPECT_NE(print_config(PromptsConfig())
                .find("shapes: the built-in world's training prompts; shapes_edits: its edit instructions"),
            std::string::npos);
}

TEST(ShapesPromptsTest, FamiliesTakeTurnsWithinTheTrainingSplit) {
  PromptsConfig config;
  config.per_step = 10;
  const PromptStream stream = make_prompt_stream(config, 3);
  std::map<std::string, int> families;
  std::set<std::string> different;
  for (uint64_t step = 0; step < 6; ++step) {
    const std::vector<TaskPrompt> prompts = stream(step);
    ASSERT_EQ(prompts.size(), 10u);
    for (const TaskPrompt& prompt : prompts) {
      ++families[prompt.family];
      different.insert(prompt.text);
      ASSERT_TRUE(shapes_request(prompt));
      bool in_training = false;
      for (const shapes::Prompt& candidate : shapes::all_prompts(shapes::Split::train, prompt.family))
        in_training = in_training || candidate.text == prompt.text;
      EXPECT_TRUE(in_training) << prompt.text;
    }
  }
  const size_t count = shapes::families(false).size() + shapes::families(true).size();
  EXPECT_EQ(families.size(), count);
  for (const auto& [family, uses] : families) EXPECT_NEAR(uses, 60.0 / static_cast<double>(count), 1) << family;
  EXPECT_GT(different.size(), 30u);
  EXPECT_EQ(texts_of(make_prompt_stream(config, 3), 4, 2), texts_of(stream, 4, 2));
  EXPECT_NE(texts_of(make_prompt_stream(config, 4), 4, 2), texts_of(stream, 4, 2));
}

TEST(ShapesEditsTest, KindsTakeTurnsWithinTheTrainingSplit) {
  PromptsConfig config;
  config.source = "shapes_edits";
  config.per_step = 7;
  const PromptStream stream = make_prompt_stream(config, 3);
  std::set<std::string> different;
  for (uint64_t step = 0; step < 4; ++step) {
    const std::vector<TaskPrompt> prompts = stream(step), again = make_prompt_stream(config, 3)(step);
    ASSERT_EQ(prompts.size(), 7u);
    for (size_t i = 0; i < 7; ++i) {
      ASSERT_TRUE(shapes_edit(prompts[i]));
      EXPECT_EQ(static_cast<size_t>(shapes_edit(prompts[i])->edit.kind), i);
      EXPECT_EQ(shapes::split_of(*shapes_edit(prompts[i])), shapes::Split::train);
      EXPECT_EQ(prompts[i].text, shapes_edit(prompts[i])->text);
      ASSERT_EQ(prompts[i].sources.size(), 1u);
      EXPECT_EQ(prompts[i].sources[0].pixels, again[i].sources[0].pixels);
      different.insert(prompts[i].text);
    }
  }
  EXPECT_GT(different.size(), 14u);
  // The number of prompts a step deals out the same sequence.
  config.per_step = 4;
  EXPECT_EQ(texts_of(make_prompt_stream(config, 3), 0, 7), texts_of(stream, 0, 4));
  EXPECT_NE(texts_of(make_prompt_stream(config, 4), 0, 7), texts_of(stream, 0, 4));
}

}  // namespace
}  // namespace diptych
