#include "diptych/reward/shapes_task.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/data/question_file.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/questions.h"

namespace diptych {
namespace {

TEST(ShapesTask, PromptsKnowTheirTruth) {
  Stream stream({.seed = 1});
  const shapes::Prompt asked = shapes::sample_prompt(stream, shapes::Split::train, {"two_object"});
  const TaskPrompt prompt = shapes_task(asked);
  EXPECT_EQ(prompt.text, asked.text);
  EXPECT_EQ(prompt.family, "two_object");
  EXPECT_FALSE(prompt.implicit);
  ASSERT_NE(shapes_request(prompt), nullptr);
  EXPECT_EQ(*shapes_request(prompt), asked.request);
  EXPECT_EQ(shapes_edit(prompt), nullptr);
  EXPECT_EQ(prompt.questions.size(), shapes_questions(asked.request).size());
  const shapes::EditTask edit =
      shapes::sample_edit(stream, shapes::Split::train, shapes::EditKind::recolour, shapes::World());
  const TaskPrompt to_edit = edit_task(edit, shapes::World());
  EXPECT_EQ(to_edit.text, edit.text);
  EXPECT_EQ(to_edit.family, "recolour");
  EXPECT_EQ(to_edit.sources.size(), 1u);
  EXPECT_EQ(shapes_request(to_edit), nullptr);
  ASSERT_NE(shapes_edit(to_edit), nullptr);
  EXPECT_EQ(shapes_edit(to_edit)->edit, edit.edit);
  EXPECT_TRUE(to_edit.questions.empty());
  EXPECT_EQ(shapes_request(TaskPrompt()), nullptr);
  EXPECT_EQ(shapes_edit(TaskPrompt()), nullptr);
}

TEST(ShapesTask, QuestionsAreThoseOfTheShapesWorld) {
  for (const std::string& family : shapes::all_families()) {
    const shapes::Prompt& prompt = shapes::all_prompts(shapes::Split::test, family).front();
    EXPECT_EQ(shapes::find_request(prompt.text), prompt.request);
    const std::vector<AtomicQuestion> questions = shapes_questions(prompt.request);
    const std::vector<shapes::Question> expected = shapes::atomic_questions(prompt.request);
    ASSERT_EQ(questions.size(), expected.size());
    for (size_t i = 0; i < questions.size(); ++i) {
      EXPECT_EQ(questions[i].id, expected[i].id);
      EXPECT_EQ(questions[i].kind, expected[i].kind);
      EXPECT_EQ(questions[i].tag, expected[i].tag);
      EXPECT_EQ(questions[i].text, expected[i].text);
    }
  }
}

TEST(ShapesTask, RecordsHaveTheReleasedFields) {
  const nlohmann::json record = question_record_json(
      {"a photo of a red cross and a ring", 7, shapes_questions(*shapes::find_request("a red cross and a ring"))});
  EXPECT_EQ(record.size(), 4u);
  EXPECT_EQ(record["prompt"], "a photo of a red cross and a ring");
  EXPECT_EQ(record["original_index"], 7);
  EXPECT_EQ(record["semantic_questions"].size(), 4u);
  EXPECT_EQ(record["quality_questions"].size(), 2u);
  const nlohmann::json expected = {
      {"question_type", "semantic"}, {"question", "Is the cross red?"}, {"is_valid", true}, {"tag", "Attribute"}};
  EXPECT_EQ(record["semantic_questions"][1], expected);
}

TEST(ShapesTask, ReadsCaptionsAndNothingElse) {
  const auto request = shapes::find_request("three red circles");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->clauses.at(0).count, 3);
  EXPECT_FALSE(shapes::find_request("a photo of a zeppelin"));
  EXPECT_FALSE(shapes::find_request(""));
}

}  // namespace
}  // namespace diptych
