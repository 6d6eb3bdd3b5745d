#include "diptych/shapes/world/random_scene.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "diptych/shapes/examples/distort.h"
#include "diptych/shapes/verify/detect.h"

namespace diptych::shapes {
namespace {

constexpr int kScenes = 2500;

TEST(RandomScene, DrawsEverything) {
  const World world;
  Stream stream({.seed = 31});
  std::array<int, 5> counts{}, backgrounds{};
  std::array<int, 6> shapes{};
  std::array<int, 8> colours{};
  std::array<int, 2> sizes{};
  for (int round = 0; round < kScenes; ++round) {
    const Scene scene = random_scene(world, stream);
    ASSERT_GE(scene.objects.size(), 1u);
    ASSERT_LE(scene.objects.size(), 4u);
    ++counts[scene.objects.size()];
    ++backgrounds[static_cast<size_t>(scene.background)];
    std::set<int> cells;
    for (const Object& object : scene.objects) {
      ++shapes[static_cast<size_t>(object.shape)];
      ++colours[static_cast<size_t>(object.colour)];
      ++sizes[static_cast<size_t>(object.size)];
      cells.insert(object.cell);
      EXPECT_LE(std::abs(object.offset_x), world.jitter);
      EXPECT_LE(std::abs(object.offset_y), world.jitter);
    }
    EXPECT_EQ(cells.size(), scene.objects.size());
    EXPECT_GE(*cells.begin(), 0);
    EXPECT_LT(*cells.rbegin(), world.cells * world.cells);
  }
  const double objects = sizes[0] + sizes[1];
  for (int count = 1; count <= 4; ++count) EXPECT_NEAR(counts[count], kScenes / 4.0, kScenes * 0.04);
  for (int number : shapes) EXPECT_NEAR(number, objects / 6, objects * 0.02);
  for (int number : colours) EXPECT_NEAR(number, objects / 8, objects * 0.02);
  EXPECT_NEAR(sizes[1], objects * 0.25, objects * 0.02);
  EXPECT_NEAR(backgrounds[0], kScenes * 0.6, kScenes * 0.04);
  for (size_t index = 1; index < backgrounds.size(); ++index)
    EXPECT_NEAR(backgrounds[index], kScenes * 0.1, kScenes * 0.03);
}

TEST(RandomScene, HoldsNoMoreThanItsWorld) {
  Stream stream({.seed = 32});
  for (int round = 0; round < 20; ++round)
    EXPECT_EQ(random_scene({.canvas = 16, .cells = 1}, stream).objects.size(), 1u);
}

/** Whether exactly the scene's objects are detected, each in its cell and known, on the scene's background. */
bool is_detected(const Image& image, const Scene& scene, const World& world) {
  const std::vector<Detection> detections = detect(image, world);
  if (detect_background(image).background != scene.background || detections.size() != scene.objects.size())
    return false;
  const double cell = static_cast<double>(world.canvas) / world.cells;
  for (const Object& object : scene.objects) {
    const bool found = std::any_of(detections.begin(), detections.end(), [&](const Detection& detection) {
      const int place = static_cast<int>(detection.y / cell) * world.cells + static_cast<int>(detection.x / cell);
      return place == object.cell && detection.shape == object.shape && detection.colour == object.colour &&
             detection.size == object.size && detection.confidence > 0.5;
    });
    if (!found) return false;
  }
  return true;
}

/** Share of random scenes whose spoilt pictures are read without a fault. */
double accuracy(const World& world, const std::function<Image(const Image&)>& spoil) {
  Stream stream({.seed = 33});
  int right = 0;
  for (int round = 0; round < kScenes; ++round) {
    const Scene scene = random_scene(world, stream);
    right += is_detected(spoil(render(scene, world)), scene, world);
  }
  return static_cast<double>(right) / kScenes;
}

TEST(RandomScene, IsReadFromItsPicture) {
  const auto clean = [](const Image& image) { return image; };
  EXPECT_GE(accuracy({}, clean), 0.998);
  EXPECT_GE(accuracy({.canvas = 64, .radius = 12, .jitter = 2}, clean), 0.998);
}

TEST(RandomScene, IsReadThroughTheBlurAndNoiseOfAnAutoencoder) {
  Stream stream({.seed = 34});
  EXPECT_GE(accuracy({}, [](const Image& image) { return gaussian_blur(image, 0.5); }), 0.995);
  EXPECT_GE(accuracy({}, [&](const Image& image) { return gaussian_noise(image, 8, stream); }), 0.995);
  EXPECT_GE(accuracy({}, [&](const Image& image) { return gaussian_noise(gaussian_blur(image, 0.5), 4, stream); }),
            0.995);
}

}  // namespace
}  // namespace diptych::shapes
