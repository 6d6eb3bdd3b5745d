#include "diptych/shapes/world/caption.h"

#include <gtest/gtest.h>

#include "diptych/shapes/prompts/prompts.h"

namespace diptych::shapes {
namespace {

TEST(Caption, Words) {
  EXPECT_EQ(caption({{{Shape::circle, Colour::red, 3}}, {}}), "three red circles");
  EXPECT_EQ(caption({{{Shape::cross, Colour::orange, 1}, {Shape::cross, Colour::blue, 2}}, {}}),
            "an orange cross and two blue crosses");
  EXPECT_EQ(caption({{{Shape::square, {}, 1}, {Shape::ring, {}, 1}}, Position{1, Relation::left_of, 0}}),
            "a ring left of a square");
  EXPECT_EQ(caption({{{std::nullopt, Colour::red, 1}}, {}}), "a red object");
}

TEST(Caption, ParsesEveryCaptionBack) {
  for (const bool implicit : {false, true})
    for (const std::string& family : families(implicit))
      for (const Prompt& prompt : enumerate_family(family)) EXPECT_EQ(parse_caption(prompt.refined), prompt.request);
}

TEST(Caption, ParsesExplicitPrompts) {
  for (const std::string& family : families(false))
    for (const Prompt& prompt : enumerate_family(family)) EXPECT_EQ(parse_caption(prompt.text), prompt.request);
}

TEST(Caption, ForgivesGrammarOnly) {
  EXPECT_EQ(parse_caption("  one orange  circles "), (Request{{{Shape::circle, Colour::orange, 1}}, {}}));
  EXPECT_EQ(parse_caption("a orange ring and two square"), parse_caption("an orange ring and two squares"));
  for (const char* text : {"", "a", "a photo of", "red circle", "five circles", "a circle circle", "a circle and",
                           "a circle left a square", "a circle left of", "a circle and a ring above a square",
                           "a circle above a ring .", "a circle in the color of grass", "a red blue circle"})
    EXPECT_FALSE(parse_caption(text)) << text;
}

TEST(Caption, CanonicalTextJoinsEqualRequests) {
  const auto same = [](const char* a, const char* b) {
    return canonical_text(*parse_caption(a)) == canonical_text(*parse_caption(b));
  };
  EXPECT_TRUE(same("a circle left of a square", "a square right of a circle"));
  EXPECT_TRUE(same("a circle above a square", "a square below a circle"));
  EXPECT_TRUE(same("a red circle and a ring", "a ring and a red circle"));
  EXPECT_FALSE(same("a circle left of a square", "a square left of a circle"));
  EXPECT_FALSE(same("a circle and a square", "a circle left of a square"));
}

}  // namespace
}  // namespace diptych::shapes
