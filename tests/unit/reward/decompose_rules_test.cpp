#include "diptych/reward/decompose_rules.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "diptych/data/question_file.h"
#include "diptych/shapes/prompts.h"
#include "diptych/shapes/questions.h"

namespace diptych {
namespace {

TEST(DecomposeRules, RecordsAreThoseOfTheShapesWorld) {
  for (const bool implicit : {false, true}) {
    for (const std::string& family : shapes::families(implicit)) {
      const shapes::Prompt& prompt = shapes::all_prompts(shapes::Split::test, family).front();
      const auto request = shapes::find_request(prompt.text);
      ASSERT_TRUE(request) << prompt.text;
      EXPECT_EQ(*request, prompt.request);
      EXPECT_EQ(question_record_json({prompt.text, 7, shapes_questions(*request)}).dump(),
                shapes::to_dvreward_record(prompt.text, shapes::atomic_questions(prompt.request), 7));
    }
  }
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
