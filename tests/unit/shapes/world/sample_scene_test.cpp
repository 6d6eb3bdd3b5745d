#include "diptych/shapes/world/sample_scene.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "diptych/base/error.h"
#include "diptych/shapes/prompts/prompts.h"
#include "diptych/shapes/world/caption.h"
#include "diptych/shapes/world/position_rule.h"

namespace diptych::shapes {
namespace {

bool answers(const Object& object, const Clause& clause) {
  return (!clause.shape || object.shape == *clause.shape) && (!clause.colour || object.colour == *clause.colour);
}

Box expected_box(const Object& object, const World& world) {
  const double cell = static_cast<double>(world.canvas) / world.cells;
  const double x = (object.cell % world.cells + 0.5) * cell + object.offset_x;
  const double y = (object.cell / world.cells + 0.5) * cell + object.offset_y;
  return {x - world.radius, y - world.radius, x + world.radius, y + world.radius};
}

void expect_fulfilled(const Scene& scene, const Request& request, const World& world) {
  int objects = 0;
  std::set<int> cells;
  for (const Clause& clause : request.clauses) {
    objects += clause.count;
    EXPECT_EQ(std::count_if(scene.objects.begin(), scene.objects.end(),
                            [&](const Object& object) { return answers(object, clause); }),
              clause.count)
        << caption(request);
  }
  EXPECT_EQ(static_cast<int>(scene.objects.size()), objects);
  for (const Object& object : scene.objects) {
    EXPECT_TRUE(cells.insert(object.cell).second);
    EXPECT_GE(object.cell, 0);
    EXPECT_LT(object.cell, world.cells * world.cells);
    EXPECT_LE(std::abs(object.offset_x), world.jitter);
    EXPECT_LE(std::abs(object.offset_y), world.jitter);
  }
  if (!request.position) return;
  const Position& position = *request.position;
  for (const Object& subject : scene.objects)
    for (const Object& reference : scene.objects) {
      const bool pair = answers(subject, request.clauses[position.subject]) &&
                        answers(reference, request.clauses[position.reference]);
      EXPECT_TRUE(!pair ||
                  relation_holds(position.relation, expected_box(subject, world), expected_box(reference, world)));
    }
}

TEST(SampleScene, FulfilsEveryPrompt) {
  const World world;
  Stream stream({.seed = 1, .purpose = Purpose::scene});
  for (const bool implicit : {false, true})
    for (const std::string& family : families(implicit))
      for (const Prompt& prompt : enumerate_family(family))
        expect_fulfilled(sample_scene(prompt.request, world, stream), prompt.request, world);
}

TEST(SampleScene, KeepsClausesApart) {
  const World world{.canvas = 96, .cells = 3};
  Stream stream({.seed = 2, .purpose = Purpose::scene});
  const Request request{{{std::nullopt, Colour::red, 2}, {Shape::circle, std::nullopt, 2}}, {}};
  for (int draw = 0; draw < 200; ++draw) expect_fulfilled(sample_scene(request, world, stream), request, world);
}

TEST(SampleScene, OpenPropertiesTakeAllValues) {
  Stream stream({.seed = 3, .purpose = Purpose::scene});
  std::set<Colour> colours;
  std::set<int> cells;
  for (int draw = 0; draw < 300; ++draw) {
    const Scene scene = sample_scene({{{Shape::ring, std::nullopt, 1}}, {}}, World{}, stream);
    colours.insert(scene.objects[0].colour);
    cells.insert(scene.objects[0].cell);
  }
  EXPECT_EQ(colours.size(), kColourNames.size());
  EXPECT_EQ(cells.size(), 4u);
}

TEST(SampleScene, RefusesWhatNoSceneFulfils) {
  Stream stream({.seed = 4, .purpose = Purpose::scene});
  const std::vector<Request> impossible = {
      {},
      {{{Shape::circle, {}, 5}}, {}},
      {{{Shape::circle, {}, 1}, {Shape::circle, Colour::red, 1}}, {}},
      {{{Shape::circle, {}, 2}, {Shape::square, {}, 2}}, Position{0, Relation::left_of, 1}},
  };
  for (const Request& request : impossible) EXPECT_THROW(sample_scene(request, World{}, stream), Error);
}

}  // namespace
}  // namespace diptych::shapes
