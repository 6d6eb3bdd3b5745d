#include <gtest/gtest.h>

#include <algorithm>

#include "diptych/data/example.h"
#include "diptych/shapes/verify/detect.h"

namespace diptych {
namespace {

TEST(ShapesPictures, HalfAreOrdinaryAndTheRestShowSizesAndBackgrounds) {
  const shapes::World world;
  const ExampleSource source = shapes_pictures(world, 3);
  constexpr int kDraws = 2000;
  int coloured = 0, small = 0;
  for (uint64_t index = 0; index < kDraws; ++index) {
    const SupervisedExample example = source(4, index);
    EXPECT_TRUE(example.prompt.empty());
    EXPECT_FALSE(example.thinking);
    ASSERT_TRUE(example.image.has_value());
    coloured += !std::equal(example.image->pixels.begin(), example.image->pixels.begin() + 3,
                            shapes::kBackgroundRgb[0].begin());
    const std::vector<shapes::Detection> detections = shapes::detect(*example.image, world);
    ASSERT_FALSE(detections.empty());
    small += std::any_of(detections.begin(), detections.end(), [](const auto& found) { return found.scale < 0.8; });
  }
  EXPECT_NEAR(coloured / double(kDraws), 0.5 * 0.4, 0.03);
  // Of one to four objects, each small with probability 1/4, one at least is small with probability 0.487.
  EXPECT_NEAR(small / double(kDraws), 0.5 * 0.487, 0.04);
}

TEST(ShapesPictures, AddressDecides) {
  const ExampleSource source = shapes_pictures(shapes::World{}, 3);
  const SupervisedExample first = source(1, 2);
  source(5, 6);
  EXPECT_EQ(source(1, 2).image->pixels, first.image->pixels);
  EXPECT_NE(source(1, 3).image->pixels, first.image->pixels);
  EXPECT_NE(source(2, 2).image->pixels, first.image->pixels);
}

}  // namespace
}  // namespace diptych
