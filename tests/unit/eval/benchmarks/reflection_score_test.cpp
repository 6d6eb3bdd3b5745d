#include "diptych/eval/benchmarks/reflection_score.h"

#include <gtest/gtest.h>

#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/render.h"

namespace diptych {
namespace {

using shapes::Colour;
using shapes::Shape;

class ReflectionScoreTest : public ::testing::Test {
 protected:
  ReflectionScore score(const std::string& shows, const std::string& needs, const std::string& answer) const {
    return score_reflection("<think> the picture shows " + shows + " . it needs " + needs + " . </think> " + answer,
                            picture_, request_);
  }

  const shapes::Request request_ = *shapes::parse_caption("two red circles");
  const Image picture_ =
      shapes::render({.objects = {{Shape::circle, Colour::red, 0}, {Shape::square, Colour::blue, 3}}}, shapes::World{});
};

TEST_F(ReflectionScoreTest, ATrueReflectionIsADiagnosis) {
  const ReflectionScore result =
      score("one red circle and one blue square", "two red circles", "replace the blue square with a red circle");
  EXPECT_TRUE(result.described);
  EXPECT_TRUE(result.understood);
  EXPECT_TRUE(result.finds_fault);
  EXPECT_TRUE(result.diagnosed());
}

TEST_F(ReflectionScoreTest, EachPartCountsAlone) {
  const ReflectionScore blind = score("one red circle", "two red circles", "add a red circle");
  EXPECT_FALSE(blind.described);
  EXPECT_TRUE(blind.understood);
  EXPECT_FALSE(blind.diagnosed());
  const ReflectionScore mistaken = score("one red circle and one blue square", "two blue circles", "add a blue circle");
  EXPECT_TRUE(mistaken.described);
  EXPECT_FALSE(mistaken.understood);
  EXPECT_FALSE(mistaken.diagnosed());
  const ReflectionScore content = score("one red circle and one blue square", "two red circles", "done");
  EXPECT_TRUE(content.described);
  EXPECT_FALSE(content.finds_fault);
  EXPECT_FALSE(content.diagnosed());
}

TEST_F(ReflectionScoreTest, NothingIsDescribedByNothing) {
  EXPECT_FALSE(score("nothing", "two red circles", "add a red circle").described);
  const std::string text = "<think> the picture shows nothing . it needs two red circles . </think> add a red circle";
  EXPECT_TRUE(score_reflection(text, shapes::render({}, shapes::World{}), request_).described);
  EXPECT_FALSE(score("one red circle and one blue square", "nothing", "done").understood);
}

TEST_F(ReflectionScoreTest, ATextWithoutFormGetsNothingRight) {
  for (const char* text : {"", "done", "<think> the picture shows two red circles .", "add a red circle"}) {
    const ReflectionScore result = score_reflection(text, picture_, request_);
    EXPECT_FALSE(result.described || result.understood || result.finds_fault) << text;
  }
}

}  // namespace
}  // namespace diptych
