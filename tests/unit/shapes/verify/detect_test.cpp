#include "diptych/shapes/verify/detect.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "diptych/shapes/examples/distort.h"

namespace diptych::shapes {
namespace {

Object random_object(Stream& stream, const World& world, int cell) {
  return {static_cast<Shape>(stream.below(kShapeNames.size())), static_cast<Colour>(stream.below(kColourNames.size())),
          cell, world.jitter * (2 * stream.uniform() - 1), world.jitter * (2 * stream.uniform() - 1)};
}

class DetectWorlds : public testing::TestWithParam<World> {};

TEST_P(DetectWorlds, FindsEveryObjectWhereItIs) {
  const World& world = GetParam();
  Stream stream({.seed = 11});
  for (int round = 0; round < 400; ++round) {
    Scene scene;
    for (int cell = 0; cell < world.cells * world.cells; ++cell)
      if (stream.below(3) > 0) scene.objects.push_back(random_object(stream, world, cell));
    const std::vector<Detection> detections = detect(render(scene, world), world);
    ASSERT_EQ(detections.size(), scene.objects.size());
    for (const Object& object : scene.objects) {
      const Point place = centre(object, world);
      const auto distance = [&](const Detection& d) { return std::hypot(d.x - place.x, d.y - place.y); };
      const Detection& found =
          *std::min_element(detections.begin(), detections.end(),
                            [&](const auto& a, const auto& b) { return distance(a) < distance(b); });
      EXPECT_LT(distance(found), 0.25);
      EXPECT_EQ(found.shape, object.shape);
      EXPECT_EQ(found.colour, object.colour);
      EXPECT_GT(found.confidence, 0.9);
      EXPECT_NEAR(found.scale, 1, 0.03);
      EXPECT_NEAR(found.box.left, place.x - world.radius, 0.3);
      EXPECT_NEAR(found.box.bottom, place.y + world.radius, 0.3);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, DetectWorlds,
                         testing::Values(World{}, World{.canvas = 64, .radius = 12, .jitter = 2},
                                         World{.canvas = 64, .cells = 4}, World{.canvas = 48, .cells = 3}));

TEST(Detect, ScoresAreProbabilities) {
  Stream stream({.seed = 12});
  for (int round = 0; round < 200; ++round) {
    const Scene scene{{random_object(stream, {}, 0), random_object(stream, {}, 3)}};
    const auto distortion = static_cast<Distortion>(stream.below(kDistortionNames.size()));
    for (const Detection& found : detect(distorted(scene, {}, distortion, stream.uniform(), stream), {})) {
      for (const double sum :
           {std::accumulate(found.shape_scores.begin(), found.shape_scores.end(), 0.0),
            std::accumulate(found.colour_scores.begin(), found.colour_scores.end(), 0.0), found.fit, found.purity}) {
        EXPECT_GE(sum, 0);
        EXPECT_LE(sum, 1 + 1e-9);
      }
      EXPECT_EQ(found.shape_confidence, found.shape_scores[static_cast<size_t>(found.shape)]);
      EXPECT_EQ(found.colour_confidence, found.colour_scores[static_cast<size_t>(found.colour)]);
      EXPECT_DOUBLE_EQ(found.confidence, found.shape_confidence * found.colour_confidence);
    }
  }
}

TEST(Detect, NeighboursAtTheSmallestGapStayApart) {
  const World world;
  for (size_t first = 0; first < kColourNames.size(); ++first) {
    for (size_t second = 0; second < kColourNames.size(); ++second) {
      const Scene scene{{{Shape::square, static_cast<Colour>(first), 0, 1, 0},
                         {Shape::square, static_cast<Colour>(second), 1, -1, 0}}};
      const std::vector<Detection> found = detect(gaussian_blur(render(scene, world), 0.5), world);
      ASSERT_EQ(found.size(), 2u) << kColourNames[first] << ' ' << kColourNames[second];
      EXPECT_EQ(found[0].colour, scene.objects[0].colour);
      EXPECT_EQ(found[1].colour, scene.objects[1].colour);
    }
  }
}

TEST(Detect, OverlappingObjectsAreNotTwoKnownObjects) {
  const World world;
  Stream stream({.seed = 13});
  int two_known = 0, one_unknown = 0;
  constexpr int kRounds = 400;
  for (int round = 0; round < kRounds; ++round) {
    const Scene scene{{random_object(stream, world, 0), random_object(stream, world, 1)}};
    const std::vector<Detection> found = detect(distorted(scene, world, Distortion::overlap, 1, stream), world);
    two_known += found.size() == 2 && found[0].confidence > 0.5 && found[1].confidence > 0.5;
    one_unknown += found.size() == 1 && found[0].confidence < 0.5;
  }
  EXPECT_LT(two_known, 0.05 * kRounds);
  EXPECT_GT(one_unknown, 0.8 * kRounds);
}

/** Mean confidence over one object of every shape and colour. */
double mean_confidence(const std::function<Image(const Image&)>& spoil) {
  double sum = 0;
  for (size_t shape = 0; shape < kShapeNames.size(); ++shape) {
    for (size_t colour = 0; colour < kColourNames.size(); ++colour) {
      const Scene scene{{{static_cast<Shape>(shape), static_cast<Colour>(colour), 0, 0.3, -0.2}}};
      for (const Detection& found : detect(spoil(render(scene, {})), {}))
        if (std::hypot(found.x - 8, found.y - 8) < 2) sum += found.confidence;
    }
  }
  return sum / (kShapeNames.size() * kColourNames.size());
}

TEST(Detect, ConfidenceFallsWithDegradation) {
  double last_blur = 1, last_noise = 1, last_drift = 1;
  for (int step = 0; step <= 5; ++step) {
    Stream stream({.seed = 14});
    const double blur = mean_confidence([&](const Image& image) { return gaussian_blur(image, 0.3 * step); });
    const double noise = mean_confidence([&](const Image& image) { return gaussian_noise(image, 4 * step, stream); });
    const double drift = mean_confidence([&](Image image) {
      for (uint8_t& byte : image.pixels)
        if (byte < 200) byte = static_cast<uint8_t>(byte + 10 * step);
      return image;
    });
    EXPECT_LT(blur, last_blur);
    EXPECT_LT(noise, last_noise);
    EXPECT_LT(drift, last_drift);
    last_blur = blur;
    last_noise = noise;
    last_drift = drift;
  }
  EXPECT_LT(last_blur, 0.7);
  EXPECT_LT(last_noise, 0.85);
  EXPECT_LT(last_drift, 0.85);
}

TEST(Detect, WrongSizesAreNoObjects) {
  for (double factor : {0.4, 2.2}) {
    Image image = blank({.canvas = 64});
    paint(image, Shape::circle, {32, 32}, 6 * factor, rgb(Colour::blue));
    const std::vector<Detection> found = detect(image, {});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_LT(found[0].confidence, 0.1);
    EXPECT_NEAR(found[0].scale, factor, 0.05);
  }
}

TEST(Detect, SizesAndTheirScoresFollowTheScale) {
  double last_small = 1, last_normal_confidence = 0;
  for (double factor : {0.6, 0.68, 0.74, 0.8, 0.86, 1.0}) {
    Image image = blank({.canvas = 64});
    paint(image, Shape::circle, {32, 32}, 6 * factor, rgb(Colour::blue));
    const std::vector<Detection> found = detect(image, {});
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].size, factor < std::sqrt(0.6) ? Size::small : Size::normal);
    EXPECT_DOUBLE_EQ(found[0].size_scores[0] + found[0].size_scores[1], 1);
    EXPECT_LT(found[0].size_scores[1], last_small);
    EXPECT_GT(found[0].confidence, 0.8);
    last_small = found[0].size_scores[1];

    const Detection normal = expecting_normal_size(found[0]);
    EXPECT_GE(normal.confidence, last_normal_confidence - 0.02);
    EXPECT_NEAR(normal.confidence, normal.shape_confidence * normal.colour_confidence, 1e-12);
    EXPECT_EQ(normal.shape_confidence, normal.shape_scores[static_cast<size_t>(Shape::circle)]);
    EXPECT_EQ(normal.confidence < 0.45, factor == 0.6);
    EXPECT_EQ(normal.confidence == found[0].confidence, factor > 0.77);
    last_normal_confidence = normal.confidence;
  }
  EXPECT_LT(last_small, 0.02);
}

TEST(Detect, BackgroundIsTheNearestToTheBorder) {
  for (size_t index = 0; index < kBackgroundNames.size(); ++index) {
    const auto background = static_cast<Background>(index);
    const Image image = render({{{Shape::square, Colour::black, 0, -1, -1}}, background}, {});
    const BackgroundDetection found = detect_background(image);
    EXPECT_EQ(found.background, background);
    EXPECT_GT(found.confidence, 0.99);
    EXPECT_EQ(found.confidence, found.scores[index]);
    EXPECT_LE(std::accumulate(found.scores.begin(), found.scores.end(), 0.0), 1);
  }
  double last = 1;
  for (int grey : {245, 235, 225, 215, 130}) {
    const BackgroundDetection found = detect_background({32, 32, std::vector<uint8_t>(32 * 32 * 3, uint8_t(grey))});
    EXPECT_LT(found.scores[0], last);
    EXPECT_EQ(found.scores[0] > 0.9, grey > 230);
    last = found.scores[0];
  }
  EXPECT_LT(last, 0.01);
  EXPECT_EQ(detect_background({0, 0, {}}).background, Background::plain);
  EXPECT_EQ(detect_background({0, 0, {}}).confidence, 0);
}

TEST(Detect, TwoTonedObjectsAreImpure) {
  Image image = render({{{Shape::square, Colour::red, 0, 0, 0}}}, {});
  for (int y = 0; y < 16; ++y)
    for (int x = 0; x < 8; ++x)
      if (image.pixels[(y * 32 + x) * 3 + 1] == 30) image.pixels[(y * 32 + x) * 3 + 2] = 230;
  const std::vector<Detection> found = detect(image, {});
  ASSERT_EQ(found.size(), 1u);
  EXPECT_LT(found[0].purity, 0.4);
  EXPECT_LT(found[0].confidence, 0.4);
}

TEST(Detect, AcceptsAnyPicture) {
  EXPECT_TRUE(detect({0, 0, {}}, {}).empty());
  EXPECT_TRUE(detect(blank({}), {}).empty());
  Image speck = blank({});
  speck.pixels[300] = 0;
  EXPECT_TRUE(detect(speck, {}).empty());
  Stream stream({.seed = 15});
  for (int round = 0; round < 50; ++round) {
    Image image{17, 40, std::vector<uint8_t>(17 * 40 * 3)};
    for (uint8_t& byte : image.pixels) byte = static_cast<uint8_t>(stream.below(256));
    for (const Detection& found : detect(image, {})) {
      EXPECT_TRUE(std::isfinite(found.confidence) && std::isfinite(found.x) && std::isfinite(found.y));
      EXPECT_LT(found.confidence, 0.5);
    }
  }
}

}  // namespace
}  // namespace diptych::shapes
