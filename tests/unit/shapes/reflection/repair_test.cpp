#include "diptych/shapes/reflection/repair.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/reflection/faults.h"
#include "diptych/shapes/verify/truth.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/random_scene.h"
#include "diptych/shapes/world/sample_scene.h"

namespace diptych::shapes {
namespace {

std::vector<std::string> instructions(const Scene& scene, const char* words) {
  Stream stream({.seed = 1});
  std::vector<std::string> texts;
  for (const Edit& edit : repairs(scene, *parse_caption(words), World{}, stream)) texts.push_back(instruction(edit));
  return texts;
}

const Scene kRedCircleAndBlueSquare = {.objects = {{.shape = Shape::circle, .colour = Colour::red, .cell = 1},
                                                   {.shape = Shape::square, .colour = Colour::blue, .cell = 0}}};

TEST(Repair, SaysWhatOneWouldSay) {
  using Texts = std::vector<std::string>;
  EXPECT_EQ(instructions(kRedCircleAndBlueSquare, "a circle and a square"), Texts{});
  EXPECT_EQ(instructions(kRedCircleAndBlueSquare, "a green circle and a square"),
            Texts{"change the color of the red circle to green"});
  EXPECT_EQ(instructions(kRedCircleAndBlueSquare, "two red circles"),
            Texts{"replace the blue square with a red circle"});
  EXPECT_EQ(instructions(kRedCircleAndBlueSquare, "two circles"), Texts{"replace the blue square with a blue circle"});
  EXPECT_EQ(instructions(kRedCircleAndBlueSquare, "a circle"), Texts{"remove the blue square"});
  EXPECT_EQ(instructions(kRedCircleAndBlueSquare, "a circle and a square and a pink ring"), Texts{"add a pink ring"});
}

TEST(Repair, MovesObjectsThatAreRightButMisplaced) {
  const std::vector<std::string> aside = instructions(kRedCircleAndBlueSquare, "a circle above a square");
  ASSERT_EQ(aside.size(), 1u);
  EXPECT_TRUE(aside[0].starts_with("move the ")) << aside[0];
  const std::vector<std::string> opposite = instructions(kRedCircleAndBlueSquare, "a circle left of a square");
  ASSERT_EQ(opposite.size(), 2u) << "no single move turns two neighbours round";
  for (const std::string& text : opposite) EXPECT_TRUE(text.starts_with("move the ")) << text;
}

TEST(Repair, EditsAreApplicableAndFulfilTheRequest) {
  const World world;
  for (uint64_t index = 0; index < 3000; ++index) {
    Stream stream({.seed = 2, .sample = index});
    const Prompt& prompt = sample_prompt(stream, Split::train, families(index % 2 == 0));
    const Scene scene = index % 4 == 0 ? random_scene(world, stream) : sample_wrong_scene(prompt, world, stream);
    const std::vector<Edit> edits = repairs(scene, prompt.request, world, stream);
    EXPECT_EQ(edits.empty(), fulfils(scene, prompt.request, world)) << prompt.text;
    EXPECT_LE(edits.size(), 4u) << prompt.text;
    Scene edited = scene;
    for (const Edit& edit : edits) {
      ASSERT_TRUE(applicable(edit, edited, world)) << instruction(edit);
      edited = apply_edit(edit, edited, world, stream);
      EXPECT_EQ(parse_instruction(instruction(edit)), edit) << "fields without meaning keep their defaults";
    }
    EXPECT_TRUE(fulfils(edited, prompt.request, world)) << prompt.text << ", draw " << index;
  }
}

TEST(Repair, OneFaultTakesOneEditUnlessObjectsMustChangePlaces) {
  const World world;
  for (uint64_t index = 0; index < 1000; ++index) {
    Stream stream({.seed = 3, .sample = index});
    const Prompt& prompt = sample_prompt(stream, Split::train, {"colors", "counting", "color_attr", "implicit_count"});
    const Scene scene = with_fault(sample_scene(prompt.request, world, stream), world, stream);
    EXPECT_LE(repairs(scene, prompt.request, world, stream).size(), 1u) << prompt.text;
  }
}

TEST(Repair, ObjectsThatAreRightStayAsTheyAre) {
  const World world;
  Stream stream({.seed = 4});
  for (int draw = 0; draw < 300; ++draw) {
    const Prompt& prompt = sample_prompt(stream, Split::train, {"color_attr"});
    const Scene right = sample_scene(prompt.request, world, stream);
    const Scene scene = with_fault(right, world, stream);
    const Scene repaired = apply_edits(repairs(scene, prompt.request, world, stream), scene, world, stream);
    int kept = 0;
    for (const Object& object : repaired.objects)
      kept += std::any_of(scene.objects.begin(), scene.objects.end(), [&](const Object& before) {
        return before.cell == object.cell && before.offset_x == object.offset_x && before.shape == object.shape &&
               before.colour == object.colour;
      });
    EXPECT_GE(kept, static_cast<int>(repaired.objects.size()) - 1) << prompt.text;
  }
}

TEST(Repair, RefusesWhatNoSceneFulfils) {
  Stream stream({.seed = 5});
  const Request request{{{Shape::circle, Colour::red, 5}}, {}};
  EXPECT_THROW(repairs({}, request, World{}, stream), Error);
}

TEST(ApplyEdits, SkipsWhatDoesNotApply) {
  Stream stream({.seed = 6});
  const std::vector<Edit> edits = {*parse_instruction("remove the pink ring"),
                                   *parse_instruction("remove the red circle"),
                                   *parse_instruction("remove the red circle")};
  const Scene edited = apply_edits(edits, kRedCircleAndBlueSquare, World{}, stream);
  ASSERT_EQ(edited.objects.size(), 1u);
  EXPECT_EQ(edited.objects[0].shape, Shape::square);
}

}  // namespace
}  // namespace diptych::shapes
