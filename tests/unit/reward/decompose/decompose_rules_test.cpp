#include "diptych/reward/decompose/decompose_rules.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/data/question_file.h"
#include "diptych/shapes/world/prompts.h"
#include "diptych/shapes/world/questions.h"

namespace diptych {
namespace {

TEST(DecomposeRules, QuestionsAreThoseOfTheShapesWorld) {
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

TEST(DecomposeRules, RecordsHaveTheReleasedFields) {
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

TEST(DecomposeRules, ReadsCaptionsAndNothingElse) {
  const auto request = shapes::find_request("three red circles");
  ASSERT_TRUE(request);
  EXPECT_EQ(request->clauses.at(0).count, 3);
  EXPECT_FALSE(shapes::find_request("a photo of a zeppelin"));
  EXPECT_FALSE(shapes::find_request(""));
}

}  // namespace
}  // namespace diptych
