#include "diptych/shapes/edits/edit.h"

#include <gtest/gtest.h>

namespace diptych::shapes {
namespace {

/** A red circle at the top left, a small blue square at the bottom right, on sand. */
Scene two_objects() {
  return {.objects = {{Shape::circle, Colour::red, 0, 0.5, -0.5, Size::normal},
                      {Shape::square, Colour::blue, 3, -1, 1, Size::small}},
          .background = Background::sand};
}

Edit edit_of(std::string_view text) {
  return parse_instruction(text).value();
}

Scene edited(std::string_view text, uint64_t seed = 0) {
  Stream stream({.seed = seed});
  return apply_edit(edit_of(text), two_objects(), World{}, stream);
}

bool same(const Object& a, const Object& b) {
  return a.shape == b.shape && a.colour == b.colour && a.cell == b.cell && a.offset_x == b.offset_x &&
         a.offset_y == b.offset_y && a.size == b.size;
}

TEST(Edit, AppliesOnlyWhereItWouldChangeSomething) {
  for (const char* text :
       {"add a red ring", "add a red circle at the top right", "remove the red circle", "remove the blue square",
        "change the color of the red circle to blue", "move the red circle to the bottom left",
        "replace the blue square with a blue ring", "make the red circle smaller", "make the blue square bigger",
        "change the background to plain"})
    EXPECT_TRUE(applicable(edit_of(text), two_objects(), World{})) << text;
  for (const char* text :
       {"add a red ring at the top left", "remove the red square", "change the color of the blue circle to red",
        "move the red circle to the top left", "move the red circle to the bottom right",
        "replace the green ring with a blue ring", "make the red circle bigger", "make the blue square smaller",
        "change the background to sand"})
    EXPECT_FALSE(applicable(edit_of(text), two_objects(), World{})) << text;
}

TEST(Edit, FullScenesHaveNoRoom) {
  Scene scene = two_objects();
  scene.objects.push_back({Shape::ring, Colour::green, 1});
  scene.objects.push_back({Shape::ring, Colour::black, 2});
  EXPECT_TRUE(free_cells(scene, World{}).empty());
  EXPECT_FALSE(applicable(edit_of("add a red ring"), scene, World{}));
  EXPECT_FALSE(applicable(edit_of("move the green ring to the top left"), scene, World{}));
  EXPECT_TRUE(applicable(edit_of("remove the green ring"), scene, World{}));
}

TEST(Edit, AddsIntoFreeCells) {
  const Scene placed = edited("add a red ring at the bottom left");
  ASSERT_EQ(placed.objects.size(), 3u);
  EXPECT_EQ(placed.objects[2].cell, 2);
  EXPECT_EQ(placed.objects[2].shape, Shape::ring);
  EXPECT_EQ(placed.objects[2].size, Size::normal);
  std::vector<int> counts(4);
  for (uint64_t seed = 0; seed < 200; ++seed) ++counts[edited("add a red ring", seed).objects.at(2).cell];
  EXPECT_EQ(counts[0] + counts[3], 0);
  EXPECT_GT(counts[1], 60);
  EXPECT_GT(counts[2], 60);
}

TEST(Edit, ChangesOneObjectAndLeavesTheRest) {
  const Scene source = two_objects();
  const auto expect_change = [&](std::string_view text, const Object& changed) {
    const Scene after = edited(text);
    ASSERT_EQ(after.objects.size(), 2u) << text;
    EXPECT_TRUE(same(after.objects[1], changed)) << text;
    EXPECT_TRUE(same(after.objects[0], source.objects[0])) << text;
    EXPECT_EQ(after.background, Background::sand) << text;
  };
  Object changed = source.objects[1];
  changed.colour = Colour::pink;
  expect_change("change the color of the blue square to pink", changed);
  changed = source.objects[1];
  changed.cell = 1;
  expect_change("move the blue square to the top right", changed);
  changed = source.objects[1];
  changed.shape = Shape::cross;
  changed.colour = Colour::black;
  expect_change("replace the blue square with a black cross", changed);
  changed = source.objects[1];
  changed.size = Size::normal;
  expect_change("make the blue square bigger", changed);
}

TEST(Edit, RemovesAndPaintsTheBackground) {
  const Scene removed = edited("remove the red circle");
  ASSERT_EQ(removed.objects.size(), 1u);
  EXPECT_TRUE(same(removed.objects[0], two_objects().objects[1]));
  const Scene repainted = edited("change the background to lilac");
  EXPECT_EQ(repainted.background, Background::lilac);
  EXPECT_EQ(repainted.objects.size(), 2u);
}

}  // namespace
}  // namespace diptych::shapes
