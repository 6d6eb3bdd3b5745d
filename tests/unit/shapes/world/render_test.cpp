#include "diptych/shapes/world/render.h"

#include <gtest/gtest.h>

#include <cmath>

#include "diptych/shapes/examples/distort.h"

namespace diptych::shapes {
namespace {

std::array<int, 3> pixel(const Image& image, int x, int y) {
  const uint8_t* bytes = &image.pixels[(static_cast<size_t>(y) * image.width + x) * 3];
  return {bytes[0], bytes[1], bytes[2]};
}

TEST(Render, EmptySceneIsBackground) {
  const World world;
  const Image image = render({}, world);
  EXPECT_EQ(image.height, world.canvas);
  EXPECT_EQ(image.width, world.canvas);
  EXPECT_EQ(image.pixels, std::vector<uint8_t>(size_t(world.canvas) * world.canvas * 3, 245));
  EXPECT_EQ(image.pixels, blank(world).pixels);
  for (size_t index = 0; index < kBackgroundRgb.size(); ++index) {
    const Image coloured = render({{}, static_cast<Background>(index)}, world);
    for (size_t byte = 0; byte < coloured.pixels.size(); ++byte)
      ASSERT_EQ(coloured.pixels[byte], kBackgroundRgb[index][byte % 3]) << kBackgroundNames[index];
  }
}

TEST(Render, CoverageSumsToAreaAndCentreOfMass) {
  for (size_t index = 0; index < kShapeNames.size(); ++index) {
    const auto shape = static_cast<Shape>(index);
    for (double radius : {6.0, 5.3, 12.0}) {
      double area = 0, linear_area = 0, moment = 0;
      for (int y = -15; y <= 15; ++y) {
        for (int x = -15; x <= 15; ++x) {
          const double share = coverage(shape, x + 0.3, y - 0.2, radius);
          EXPECT_GE(share, 0);
          EXPECT_LE(share, 1);
          EXPECT_NEAR(linear_coverage(shape, x + 0.3, y - 0.2, radius), share, 0.35);
          area += share;
          linear_area += linear_coverage(shape, x + 0.3, y - 0.2, radius);
          moment += share * (y - 0.2);
        }
      }
      const double expected = unit_area(shape) * radius * radius;
      EXPECT_NEAR(area / expected, 1, 0.025) << kShapeNames[index] << ' ' << radius;
      EXPECT_NEAR(linear_area / expected, 1, 0.03) << kShapeNames[index] << ' ' << radius;
      EXPECT_NEAR(moment / area, unit_mass_offset(shape) * radius, 0.1) << kShapeNames[index];
    }
  }
}

TEST(Render, OutlinesAreTheNamedShapes) {
  const auto covers = [](Shape shape, double x, double y) { return coverage(shape, 10 * x, 10 * y, 10) == 1; };
  EXPECT_FALSE(covers(Shape::ring, 0, 0));
  EXPECT_TRUE(covers(Shape::ring, 0.75, 0));
  EXPECT_TRUE(covers(Shape::circle, 0.6, 0.6));
  EXPECT_FALSE(covers(Shape::circle, 0.8, 0.8));
  EXPECT_TRUE(covers(Shape::square, 0.9, -0.9));
  EXPECT_FALSE(covers(Shape::diamond, 0.6, 0.6));
  EXPECT_TRUE(covers(Shape::diamond, 0, -0.85));
  EXPECT_TRUE(covers(Shape::cross, 0.9, 0));
  EXPECT_FALSE(covers(Shape::cross, 0.6, 0.6));
  EXPECT_TRUE(covers(Shape::triangle, 0.75, 0.9));
  EXPECT_FALSE(covers(Shape::triangle, 0.75, -0.5));
}

TEST(Render, ObjectsLieInTheirCells) {
  for (const World& world : {World{}, World{.canvas = 64, .radius = 12}, World{.canvas = 64, .cells = 4}}) {
    const int last = world.cells * world.cells - 1;
    const Scene scene{{{Shape::square, Colour::blue, 1, 0, 0}, {Shape::circle, Colour::yellow, last, -1, 1}}};
    const Image image = render(scene, world);
    const int cell = world.canvas / world.cells;
    EXPECT_EQ(pixel(image, cell + cell / 2, cell / 2), (std::array<int, 3>{35, 85, 230}));
    EXPECT_EQ(pixel(image, world.canvas - cell / 2 - 1, world.canvas - cell / 2 + 1),
              (std::array<int, 3>{250, 225, 20}));
    EXPECT_EQ(pixel(image, cell / 2, cell / 2), (std::array<int, 3>{245, 245, 245}));
    const Point middle = centre(scene.objects[1], world);
    EXPECT_DOUBLE_EQ(middle.x, world.canvas - cell / 2.0 - 1);
    EXPECT_DOUBLE_EQ(middle.y, world.canvas - cell / 2.0 + 1);
  }
}

TEST(Render, SmallObjectsFillTheirShareOfTheBox) {
  const World world;
  const auto area = [&](Size size) {
    const Image image = render({{{Shape::square, Colour::blue, 0, 0, 0, size}}}, world);
    double sum = 0;
    for (int y = 0; y < 16; ++y)
      for (int x = 0; x < 16; ++x) sum += (245 - pixel(image, x, y)[0]) / (245.0 - 35);
    return sum;
  };
  EXPECT_NEAR(area(Size::normal), 144, 0.01);
  EXPECT_NEAR(area(Size::small), 144 * kSizeScale[1] * kSizeScale[1], 4);
}

TEST(Render, RimsAreMixtures) {
  const Image image = render({{{Shape::square, Colour::black, 0, 0.5, 0}}}, {});
  EXPECT_EQ(pixel(image, 1, 8), (std::array<int, 3>{245, 245, 245}));
  EXPECT_NEAR(pixel(image, 2, 8)[0], (245 + 20) / 2, 1);
  EXPECT_EQ(pixel(image, 3, 8), (std::array<int, 3>{20, 20, 20}));
}

const Scene kPair{{{Shape::circle, Colour::red, 0, 0.4, 0}, {Shape::cross, Colour::green, 3, 0, -0.3}}};

TEST(Distort, StrengthZeroIsTheCleanPicture) {
  for (size_t index = 0; index < kDistortionNames.size(); ++index) {
    Stream stream({.seed = 3});
    EXPECT_EQ(distorted(kPair, {}, static_cast<Distortion>(index), 0, stream).pixels, render(kPair, {}).pixels)
        << kDistortionNames[index];
  }
}

TEST(Distort, KeepsSizesAndBackground) {
  const Scene scene{{{Shape::square, Colour::blue, 0, 0, 0, Size::small}}, Background::mint};
  Stream stream({.seed = 4});
  EXPECT_EQ(distorted(scene, {}, Distortion::noise, 0, stream).pixels, render(scene, {}).pixels);
  EXPECT_EQ(distorted(scene, {}, Distortion::missing, 1, stream).pixels, blank({}, Background::mint).pixels);
}

TEST(Distort, EqualStreamsMakeEqualPictures) {
  for (size_t index = 0; index < kDistortionNames.size(); ++index) {
    Stream first({.seed = 3}), second({.seed = 3});
    const auto distortion = static_cast<Distortion>(index);
    const Image image = distorted(kPair, {}, distortion, 0.7, first);
    EXPECT_EQ(image.pixels, distorted(kPair, {}, distortion, 0.7, second).pixels) << kDistortionNames[index];
    EXPECT_NE(image.pixels, render(kPair, {}).pixels) << kDistortionNames[index];
  }
}

TEST(Distort, FullStrengthRemovesAddsAndRecolours) {
  Stream stream({.seed = 5});
  const Scene one{{kPair.objects[0]}};
  EXPECT_EQ(distorted(one, {}, Distortion::missing, 1, stream).pixels, blank({}).pixels);
  const Image recoloured = distorted(one, {}, Distortion::wrong_colour, 1, stream);
  EXPECT_NE(pixel(recoloured, 8, 8), pixel(render(one, {}), 8, 8));
  EXPECT_EQ(distorted(one, {}, Distortion::overlap, 1, stream).pixels, render(one, {}).pixels);
  for (Distortion distortion : {Distortion::missing, Distortion::wrong_colour})
    EXPECT_EQ(distorted({}, {}, distortion, 1, stream).pixels, blank({}).pixels);
  EXPECT_NE(distorted({}, {}, Distortion::extra, 1, stream).pixels, blank({}).pixels);
}

TEST(Distort, NoiseAndBlurHaveTheirStrength) {
  const Image grey{40, 50, std::vector<uint8_t>(40 * 50 * 3, 128)};
  Stream stream({.seed = 7});
  double sum = 0, squares = 0;
  const Image noisy = gaussian_noise(grey, 10, stream);
  for (uint8_t byte : noisy.pixels) {
    sum += byte - 128;
    squares += (byte - 128) * (byte - 128);
  }
  EXPECT_NEAR(sum / noisy.pixels.size(), 0, 0.5);
  EXPECT_NEAR(std::sqrt(squares / noisy.pixels.size()), 10, 0.5);
  EXPECT_EQ(gaussian_blur(grey, 1.5).pixels, grey.pixels);

  Image point{21, 21, std::vector<uint8_t>(21 * 21 * 3, 0)};
  point.pixels[(10 * 21 + 10) * 3] = 255;
  const Image blurred = gaussian_blur(point, 1);
  EXPECT_NEAR(pixel(blurred, 10, 10)[0], 255 / (2 * M_PI), 1);
  EXPECT_NEAR(pixel(blurred, 11, 10)[0], 255 / (2 * M_PI) * std::exp(-0.5), 1);
  EXPECT_EQ(pixel(blurred, 10, 10)[1], 0);
}

}  // namespace
}  // namespace diptych::shapes
