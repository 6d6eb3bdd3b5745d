#include "diptych/shapes/world/questions.h"

#include <gtest/gtest.h>

#include <set>

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {
namespace {

std::vector<std::string> texts(const char* words) {
  std::vector<std::string> list;
  for (const Question& question : atomic_questions(*parse_caption(words)))
    if (question.kind == "semantic") list.push_back(question.text);
  return list;
}

TEST(Questions, DecomposeARequest) {
  EXPECT_EQ(texts("three red circles"),
            (std::vector<std::string>{"Are there any circles?", "Are there exactly three red circles?",
                                      "Are the circles red?",
                                      "Is the picture free of objects other than three red circles?"}));
  EXPECT_EQ(texts("an orange ring and a square"),
            (std::vector<std::string>{"Is there a ring?", "Is the ring orange?", "Is there a square?",
                                      "Is the picture free of objects other than an orange ring and a square?"}));
  EXPECT_EQ(texts("a circle left of a square")[2], "Is the circle to the left of the square?");
  EXPECT_EQ(texts("a circle below a square")[2], "Is the circle below the square?");
}

TEST(Questions, FieldsFitTheRequest) {
  for (const bool implicit : {false, true})
    for (const Prompt& prompt : evaluation_pool(Split::train, implicit, 200, 1)) {
      std::set<std::string> ids;
      int quality = 0;
      for (const Question& question : atomic_questions(prompt.request)) {
        EXPECT_TRUE(ids.insert(question.id).second);
        const bool about_clause = question.property == Property::existence || question.property == Property::count ||
                                  question.property == Property::colour;
        EXPECT_EQ(question.clause >= 0, about_clause);
        EXPECT_LT(question.clause, static_cast<int>(prompt.request.clauses.size()));
        if (question.property == Property::colour) {
          EXPECT_TRUE(prompt.request.clauses[question.clause].colour);
        }
        if (question.property == Property::position) {
          EXPECT_TRUE(prompt.request.position);
        }
        quality += question.kind == "quality";
      }
      EXPECT_GE(quality, 1);
      EXPECT_GE(static_cast<int>(ids.size()) - quality, 2);
    }
}

}  // namespace
}  // namespace diptych::shapes
