#include "diptych/shapes/world/render.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace diptych::shapes {

namespace {

constexpr double kRingHole = 0.5;                          // of the radius
constexpr double kCrossArm = 1.0 / 3;                      // half width, of the radius
constexpr double kHalfDiagonal = std::numbers::sqrt2 / 2;  // of a pixel
constexpr double kSquareRootOf5 = 2 * std::numbers::phi - 1;

Rgb as_numbers(const std::array<uint8_t, 3>& bytes) {
  return {double(bytes[0]), double(bytes[1]), double(bytes[2])};
}

double box_distance(double x, double y, double half_width, double half_height) {
  return std::max(std::abs(x) - half_width, std::abs(y) - half_height);
}

/** visit(outline), where outline(x, y) is negative inside, positive outside, and in size the distance to the outline or
 *  less. A template, so that loops over samples are compiled for each shape. */
template <class Visit>
double with_outline(Shape shape, double radius, const Visit& visit) {
  switch (shape) {
    case Shape::circle:
      return visit([radius](double x, double y) { return std::sqrt(x * x + y * y) - radius; });
    case Shape::square:
      return visit([radius](double x, double y) { return box_distance(x, y, radius, radius); });
    case Shape::triangle:
      // The sides run from (0, -radius) to (+-radius, radius).
      return visit([radius](double x, double y) {
        return std::max(y - radius, (2 * std::abs(x) - y - radius) / kSquareRootOf5);
      });
    case Shape::diamond:
      return visit([radius](double x, double y) { return (std::abs(x) + std::abs(y) - radius) * kHalfDiagonal; });
    case Shape::cross:
      return visit([radius, arm = radius * kCrossArm](double x, double y) {
        return std::min(box_distance(x, y, radius, arm), box_distance(x, y, arm, radius));
      });
    case Shape::ring:
      return visit([radius, hole = radius * kRingHole](double x, double y) {
        const double distance = std::sqrt(x * x + y * y);
        return std::max(distance - radius, hole - distance);
      });
  }
  return 0;
}

}  // namespace

Rgb rgb(Colour colour) {
  return as_numbers(kColourRgb[static_cast<size_t>(colour)]);
}

Rgb rgb(Background background) {
  return as_numbers(kBackgroundRgb[static_cast<size_t>(background)]);
}

double radius(Size size, const World& world) {
  return world.radius * kSizeScale[static_cast<size_t>(size)];
}

double coverage(Shape shape, double x, double y, double radius, int supersample) {
  return with_outline(shape, radius, [&](const auto& outline) {
    const double distance = outline(x, y);
    if (std::abs(distance) >= kHalfDiagonal) return distance < 0 ? 1.0 : 0.0;
    const double step = 1.0 / supersample;
    const double first = (step - 1) / 2;
    int inside = 0;
    for (int row = 0; row < supersample; ++row)
      for (int column = 0; column < supersample; ++column)
        inside += outline(x + first + column * step, y + first + row * step) < 0;
    return static_cast<double>(inside) / (supersample * supersample);
  });
}

double linear_coverage(Shape shape, double x, double y, double radius) {
  return with_outline(shape, radius, [&](const auto& outline) { return std::clamp(0.5 - outline(x, y), 0.0, 1.0); });
}

double unit_area(Shape shape) {
  switch (shape) {
    case Shape::circle:
      return std::numbers::pi;
    case Shape::square:
      return 4;
    case Shape::triangle:
    case Shape::diamond:
      return 2;
    case Shape::cross:
      return 8 * kCrossArm - 4 * kCrossArm * kCrossArm;
    case Shape::ring:
      return std::numbers::pi * (1 - kRingHole * kRingHole);
  }
  return 0;
}

double unit_mass_offset(Shape shape) {
  return shape == Shape::triangle ? 1.0 / 3 : 0;
}

Point centre(const Object& object, const World& world) {
  const double cell = static_cast<double>(world.canvas) / world.cells;
  return {(object.cell % world.cells + 0.5) * cell + object.offset_x,
          (object.cell / world.cells + 0.5) * cell + object.offset_y};
}

Image blank(const World& world, Background background) {
  const std::array<uint8_t, 3>& bytes = kBackgroundRgb[static_cast<size_t>(background)];
  Image image{world.canvas, world.canvas, std::vector<uint8_t>(static_cast<size_t>(world.canvas) * world.canvas * 3)};
  for (size_t index = 0; index < image.pixels.size(); ++index) image.pixels[index] = bytes[index % bytes.size()];
  return image;
}

void paint(Image& image, Shape shape, Point centre, double radius, const Rgb& colour) {
  const int first_row = std::max(0, static_cast<int>(std::floor(centre.y - radius)));
  const int last_row = std::min(image.height - 1, static_cast<int>(std::floor(centre.y + radius)));
  const int first_column = std::max(0, static_cast<int>(std::floor(centre.x - radius)));
  const int last_column = std::min(image.width - 1, static_cast<int>(std::floor(centre.x + radius)));
  for (int row = first_row; row <= last_row; ++row) {
    for (int column = first_column; column <= last_column; ++column) {
      const double share = coverage(shape, column + 0.5 - centre.x, row + 0.5 - centre.y, radius);
      uint8_t* pixel = &image.pixels[(static_cast<size_t>(row) * image.width + column) * 3];
      for (int channel = 0; channel < 3; ++channel)
        pixel[channel] = static_cast<uint8_t>(std::lround(pixel[channel] + share * (colour[channel] - pixel[channel])));
    }
  }
}

Image render(const Scene& scene, const World& world) {
  Image image = blank(world, scene.background);
  for (const Object& object : scene.objects)
    paint(image, object.shape, centre(object, world), radius(object.size, world), rgb(object.colour));
  return image;
}

}  // namespace diptych::shapes
