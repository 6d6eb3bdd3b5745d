#include "diptych/shapes/reflection/reflection.h"

#include <gtest/gtest.h>

#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/reflection/sample_reflection.h"
#include "diptych/shapes/world/caption.h"

namespace diptych::shapes {
namespace {

constexpr const char* kText =
    "<think> the picture shows one red circle . a tricycle has three wheels . it needs three red circles . </think> "
    "add a red circle , add a red circle";

TEST(Reflection, HasThisForm) {
  const Edit add = *parse_instruction("add a red circle");
  EXPECT_EQ(reflection_text(*parse_caption("a red circle"), "a tricycle has three wheels .",
                            *parse_caption("three red circles"), {add, add}),
            kText);
  EXPECT_EQ(reflection_text({}, "", *parse_caption("a ring"), {}),
            "<think> the picture shows nothing . it needs one ring . </think> done");
  EXPECT_EQ(reflection_prompt("a photo of a ring"),
            "this picture was made for : a photo of a ring . it is wrong . say what is wrong and repair it .");
  EXPECT_EQ(review_prompt("a photo of a ring"),
            "this picture was made for : a photo of a ring . check it . repair it or say done .");
}

TEST(Reflection, ReadsItsOwnForm) {
  const Reflection reflection = parse_reflection(kText);
  EXPECT_TRUE(reflection.well_formed);
  EXPECT_FALSE(reflection.done);
  EXPECT_EQ(reflection.shown, parse_caption("a red circle"));
  EXPECT_EQ(reflection.wanted, parse_caption("three red circles"));
  ASSERT_EQ(reflection.edits.size(), 2u);
  EXPECT_EQ(instruction(reflection.edits[1]), "add a red circle");

  const Reflection nothing = parse_reflection("<think> the picture shows nothing . it needs one ring . </think> done");
  EXPECT_TRUE(nothing.well_formed);
  EXPECT_TRUE(nothing.done);
  EXPECT_EQ(nothing.shown, Request{});
}

TEST(Reflection, EverySampledTextIsReadBack) {
  const World world;
  for (uint64_t index = 0; index < 2000; ++index) {
    Stream stream({.seed = 1, .sample = index});
    const ReflectionExample example = index % 2 == 0 ? sample_reflection(world, stream) : sample_review(world, stream);
    const Reflection reflection = parse_reflection(example.answer);
    ASSERT_TRUE(reflection.well_formed) << example.answer;
    const std::string begin = "<think> the picture shows " + counted_caption(*reflection.shown) + " . ";
    EXPECT_TRUE(example.answer.starts_with(begin)) << example.answer;
    const std::string_view answer = std::string_view(example.answer).substr(example.answer.find("</think>"));
    const std::string again = reflection_text(*reflection.shown, "", *reflection.wanted, reflection.edits);
    EXPECT_TRUE(std::string_view(again).ends_with(answer)) << again;
  }
}

TEST(Reflection, OnlyAnExplicitDoneStops) {
  const std::string thought = "<think> the picture shows one ring . it needs one ring . </think>";
  EXPECT_TRUE(says_done(thought + " done"));
  EXPECT_TRUE(says_done("  " + thought + "done \n"));
  EXPECT_TRUE(says_done("<think> anything </think> done"));
  for (const char* answer :
       {"", " ", " done .", " not done", " done done", " yes", " add a red ring", " </think> done"})
    EXPECT_FALSE(says_done(thought + answer)) << answer;
  for (const char* text :
       {"", "done", "<think> done", "</think> done", "so <think> a </think> done", "<think> <think> a </think> done"})
    EXPECT_FALSE(says_done(text)) << text;
}

TEST(Reflection, MalformedTextsKeepWhatCanBeRead) {
  const Reflection half = parse_reflection("<think> the picture shows one ring . </think> add a red ring , dance");
  EXPECT_FALSE(half.well_formed);
  EXPECT_EQ(half.shown, parse_caption("a ring"));
  EXPECT_FALSE(half.wanted);
  EXPECT_EQ(half.edits.size(), 1u);
  const std::string thought = "<think> the picture shows one ring . it needs two rings . </think>";
  EXPECT_TRUE(parse_reflection(thought + " add a red ring").well_formed);
  EXPECT_FALSE(parse_reflection(thought).well_formed) << "neither edits nor done";
  EXPECT_FALSE(parse_reflection(thought + " add a red ring , ring").well_formed);
  EXPECT_FALSE(parse_reflection("the picture shows one ring . it needs two rings . add a red ring").well_formed);
  std::string five = thought + " add a red ring";
  for (int more = 0; more < 4; ++more) five += " , add a red ring";
  EXPECT_FALSE(parse_reflection(five).well_formed) << "more edits than a picture has places";
}

TEST(Describe, ReadingOrderAndLooks) {
  const World world;
  const Scene scene = {.objects = {{.shape = Shape::square, .colour = Colour::blue, .cell = 3},
                                   {.shape = Shape::circle, .colour = Colour::red, .cell = 0},
                                   {.shape = Shape::square, .colour = Colour::blue, .cell = 1}}};
  EXPECT_EQ(counted_caption(describe(scene, {}, world)), "one red circle and two blue squares");
  EXPECT_EQ(describe({}, {}, world), Request{});
}

TEST(Describe, PositionOfTwo) {
  const World world;
  const Scene scene = {.objects = {{.shape = Shape::circle, .colour = Colour::red, .cell = 0},
                                   {.shape = Shape::square, .colour = Colour::blue, .cell = 3}}};
  const auto words = [&](const char* request) {
    return counted_caption(describe(scene, *parse_caption(request), world));
  };
  EXPECT_EQ(words("a circle and a square"), "one red circle and one blue square");
  EXPECT_EQ(words("a circle above a square"), "one red circle above one blue square") << "left of is true as well";
  EXPECT_EQ(words("a square above a circle"), "one blue square right of one red circle") << "the subject comes first";
}

}  // namespace
}  // namespace diptych::shapes
