#include "diptych/shapes/examples/distort.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace diptych::shapes {

namespace {

constexpr double kBlurPixels = 2;
constexpr double kNoiseLevels = 64;
constexpr double kClosest = 1.25;  // radii between the centres; nearer, one object would hide the other

/** A scene as it is painted: free of palette, cells and common size. */
struct Brush {
  Shape shape;
  Point centre;
  double radius;
  Rgb colour;
};

std::vector<Brush> brushes(const Scene& scene, const World& world) {
  std::vector<Brush> result;
  for (const Object& object : scene.objects)
    result.push_back({object.shape, centre(object, world), radius(object.size, world), rgb(object.colour)});
  return result;
}

Image paint_all(const std::vector<Brush>& objects, const Scene& scene, const World& world) {
  Image image = blank(world, scene.background);
  for (const Brush& object : objects) paint(image, object.shape, object.centre, object.radius, object.colour);
  return image;
}

uint8_t to_byte(double value) {
  return static_cast<uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
}

void move_colour(const Scene& scene, double strength, Stream& stream, std::vector<Brush>& objects) {
  const size_t index = stream.below(objects.size());
  const size_t step = 1 + stream.below(kColourNames.size() - 1);
  const size_t other = (static_cast<size_t>(scene.objects[index].colour) + step) % kColourNames.size();
  const Rgb target = rgb(static_cast<Colour>(other));
  Rgb& colour = objects[index].colour;
  for (size_t channel = 0; channel < colour.size(); ++channel)
    colour[channel] += strength * (target[channel] - colour[channel]);
}

void remove_objects(double strength, Stream& stream, std::vector<Brush>& objects) {
  for (long left = std::lround(strength * objects.size()); left > 0; --left)
    objects.erase(objects.begin() + stream.below(objects.size()));
}

void add_objects(const Scene& scene, const World& world, double strength, Stream& stream, std::vector<Brush>& objects) {
  std::vector<int> free_cells;
  for (int cell = 0; cell < world.cells * world.cells; ++cell)
    if (std::none_of(scene.objects.begin(), scene.objects.end(), [&](const Object& o) { return o.cell == cell; }))
      free_cells.push_back(cell);
  for (long left = std::lround(strength * free_cells.size()); left > 0; --left) {
    const size_t pick = stream.below(free_cells.size());
    const auto shape = static_cast<Shape>(stream.below(kShapeNames.size()));
    const auto colour = static_cast<Colour>(stream.below(kColourNames.size()));
    objects.push_back({shape, centre({.cell = free_cells[pick]}, world), world.radius, rgb(colour)});
    free_cells.erase(free_cells.begin() + pick);
  }
}

void move_together(const World& world, double strength, Stream& stream, std::vector<Brush>& objects) {
  if (objects.size() < 2) return;
  const size_t index = stream.below(objects.size());
  const size_t other = (index + 1 + stream.below(objects.size() - 1)) % objects.size();
  Point& moved = objects[index].centre;
  const Point target = objects[other].centre;
  const double distance = std::hypot(target.x - moved.x, target.y - moved.y);
  const double share = strength * std::max(0.0, 1 - kClosest * world.radius / distance);
  moved = {moved.x + share * (target.x - moved.x), moved.y + share * (target.y - moved.y)};
}

}  // namespace

Image gaussian_blur(const Image& image, double sigma) {
  if (sigma <= 0) return image;
  const int reach = static_cast<int>(std::ceil(3 * sigma));
  std::vector<double> weights;
  double sum = 0;
  for (int offset = -reach; offset <= reach; ++offset) {
    weights.push_back(std::exp(-offset * offset / (2 * sigma * sigma)));
    sum += weights.back();
  }
  const auto filtered = [&](const auto& source, int row, int column, int down, int right, int channel) {
    double value = 0;
    for (int offset = -reach; offset <= reach; ++offset) {
      const int y = std::clamp(row + offset * down, 0, image.height - 1);
      const int x = std::clamp(column + offset * right, 0, image.width - 1);
      value += weights[offset + reach] / sum * source[(static_cast<size_t>(y) * image.width + x) * 3 + channel];
    }
    return value;
  };
  std::vector<double> along_rows(image.pixels.size());
  Image result = image;
  const auto for_each_byte = [&](const auto& visit) {
    for (int row = 0; row < image.height; ++row)
      for (int column = 0; column < image.width; ++column)
        for (int channel = 0; channel < 3; ++channel)
          visit((static_cast<size_t>(row) * image.width + column) * 3 + channel, row, column, channel);
  };
  for_each_byte([&](size_t index, int row, int column, int channel) {
    along_rows[index] = filtered(image.pixels, row, column, 0, 1, channel);
  });
  for_each_byte([&](size_t index, int row, int column, int channel) {
    result.pixels[index] = to_byte(filtered(along_rows, row, column, 1, 0, channel));
  });
  return result;
}

Image gaussian_noise(const Image& image, double sigma, Stream& stream) {
  Image result = image;
  for (uint8_t& byte : result.pixels) byte = to_byte(byte + sigma * stream.normal());
  return result;
}

Image distorted(const Scene& scene, const World& world, Distortion distortion, double strength, Stream& stream) {
  std::vector<Brush> objects = brushes(scene, world);
  switch (distortion) {
    case Distortion::blur:
      return gaussian_blur(paint_all(objects, scene, world), kBlurPixels * strength);
    case Distortion::noise:
      return gaussian_noise(paint_all(objects, scene, world), kNoiseLevels * strength, stream);
    case Distortion::wrong_colour:
      if (!objects.empty()) move_colour(scene, strength, stream, objects);
      break;
    case Distortion::missing:
      remove_objects(strength, stream, objects);
      break;
    case Distortion::extra:
      add_objects(scene, world, strength, stream, objects);
      break;
    case Distortion::overlap:
      move_together(world, strength, stream, objects);
      break;
  }
  return paint_all(objects, scene, world);
}

}  // namespace diptych::shapes
