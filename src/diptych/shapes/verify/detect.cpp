#include "diptych/shapes/verify/detect.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "diptych/shapes/verify/detect_pieces.h"
#include "diptych/shapes/world/render.h"

namespace diptych::shapes {

namespace {

constexpr double kSmallestArea = 0.04;     // of a circle of the world's radius
constexpr double kSmallPiece = 0.78;       // half the longer side over the world's radius: nearer to small objects
constexpr double kOverlapSpread = 0.02;    // a lead of this much overlap makes a shape e times as likely
constexpr double kNoFit = 0.6;             // overlap that is as good as none
constexpr double kFullFit = 0.86;          // overlap of a clean picture
constexpr double kColourSpread = 30;       // RGB units: standard deviation of a colour around its palette entry
constexpr double kSizeSpread = 0.08;       // octaves nearer that make a size e times as likely
constexpr double kBackgroundSpread = 10;   // RGB units: standard deviation of a background around its palette entry
constexpr double kForeignBackground = 45;  // RGB distance at which "no palette background" is as likely
constexpr double kForeignColour = 90;      // RGB distance at which "no palette colour" is as likely
constexpr double kUnevenFill = 60;         // RGB standard deviation of the fill at which purity is a half

/** Where pixel (column, row) lies in an array that covers `box` row by row. */
struct Patch {
  PixelBox box;
  std::vector<double> values;

  int width() const { return box.right - box.left + 1; }
  double& at(int column, int row) { return values[(row - box.top) * width() + column - box.left]; }
  double at(int column, int row) const { return values[(row - box.top) * width() + column - box.left]; }
};

Rgb pixel_at(const Image& image, int column, int row) {
  const uint8_t* pixel = &image.pixels[(static_cast<size_t>(row) * image.width + column) * 3];
  return {double(pixel[0]), double(pixel[1]), double(pixel[2])};
}

double squared_distance(const Rgb& a, const Rgb& b) {
  const double red = a[0] - b[0], green = a[1] - b[1], blue = a[2] - b[2];
  return red * red + green * green + blue * blue;
}

double ramp(double value, double zero, double one) {
  return std::clamp((value - zero) / (one - zero), 0.0, 1.0);
}

struct Fill {
  Rgb colour{};
  double deviation = 0;  // RGB standard deviation
};

/** Mean and spread of the colours. */
Fill measure_colours(const std::vector<Rgb>& pixels) {
  Fill fill;
  for (const Rgb& pixel : pixels)
    for (int channel = 0; channel < 3; ++channel) fill.colour[channel] += pixel[channel] / pixels.size();
  double variance = 0;
  for (const Rgb& pixel : pixels) variance += squared_distance(pixel, fill.colour) / pixels.size();
  fill.deviation = std::sqrt(variance);
  return fill;
}

/** The third of the pixels that differ most from the background. */
std::vector<Rgb> strongest(std::vector<Rgb> pixels, const Rgb& background) {
  const auto last = pixels.begin() + pixels.size() / 3;
  std::nth_element(pixels.begin(), last, pixels.end(), [&](const Rgb& a, const Rgb& b) {
    return squared_distance(a, background) > squared_distance(b, background);
  });
  pixels.erase(last + 1, pixels.end());
  return pixels;
}

/** Colour of the pixels whose four neighbours belong to the piece too. Pieces of the size of small objects have no such
 *  core, or the blurred hole of a ring for one, so theirs are the strongest pixels. */
Fill measure_fill(const Image& image, const Pieces& pieces, int label, const Rgb& background, const World& world) {
  const PixelBox& box = pieces.boxes[label - 1];
  const auto belongs = [&](int column, int row) {
    return column >= 0 && row >= 0 && column < image.width && row < image.height &&
           pieces.labels[row * image.width + column] == label;
  };
  std::vector<Rgb> all, core;
  for (int row = box.top; row <= box.bottom; ++row) {
    for (int column = box.left; column <= box.right; ++column) {
      if (!belongs(column, row)) continue;
      all.push_back(pixel_at(image, column, row));
      if (belongs(column - 1, row) && belongs(column + 1, row) && belongs(column, row - 1) && belongs(column, row + 1))
        core.push_back(all.back());
    }
  }
  const bool is_small = std::max(box.right - box.left, box.bottom - box.top) + 1 < 2 * kSmallPiece * world.radius;
  return measure_colours(is_small ? strongest(all, background) : core.empty() ? all : core);
}

/** How much of each pixel of the piece and its rim is covered: the pixel's place on the line from the background to
 *  the fill. */
Patch measure_cover(const Image& image, const Pieces& pieces, int label, const Rgb& background, const Rgb& colour) {
  const PixelBox& inner = pieces.boxes[label - 1];
  Patch cover{{std::max(0, inner.left - 1), std::max(0, inner.top - 1), std::min(image.width - 1, inner.right + 1),
               std::min(image.height - 1, inner.bottom + 1)},
              {}};
  const PixelBox& box = cover.box;
  cover.values.assign(static_cast<size_t>(cover.width()) * (box.bottom - box.top + 1), 0);
  const auto near_piece = [&](int column, int row) {
    for (int y = std::max(box.top, row - 1); y <= std::min(box.bottom, row + 1); ++y)
      for (int x = std::max(box.left, column - 1); x <= std::min(box.right, column + 1); ++x)
        if (pieces.labels[y * image.width + x] == label) return true;
    return false;
  };
  const double contrast = squared_distance(colour, background);
  for (int row = box.top; row <= box.bottom; ++row) {
    for (int column = box.left; column <= box.right; ++column) {
      const int owner = pieces.labels[row * image.width + column];
      if (owner != label && (owner != 0 || !near_piece(column, row))) continue;
      const Rgb pixel = pixel_at(image, column, row);
      double product = 0;
      for (int channel = 0; channel < 3; ++channel)
        product += (pixel[channel] - background[channel]) * (colour[channel] - background[channel]);
      // Without contrast (colours that cancel out) there is no such line, and the piece itself has to do.
      cover.at(column, row) = contrast < 1 ? owner == label : std::clamp(product / contrast, 0.0, 1.0);
    }
  }
  return cover;
}

struct Mass {
  double area = 0;
  Point centre;
};

Mass measure_mass(const Patch& cover) {
  Mass mass;
  for (int row = cover.box.top; row <= cover.box.bottom; ++row) {
    for (int column = cover.box.left; column <= cover.box.right; ++column) {
      const double value = cover.at(column, row);
      mass.area += value;
      mass.centre.x += value * (column + 0.5);
      mass.centre.y += value * (row + 0.5);
    }
  }
  mass.centre = {mass.centre.x / mass.area, mass.centre.y / mass.area};
  return mass;
}

/** Soft intersection over union with the template of equal area and centre of mass. */
double overlap(const Patch& cover, const Mass& mass, Shape shape, double radius) {
  const double y = mass.centre.y - unit_mass_offset(shape) * radius;
  double intersection = 0;
  for (int row = cover.box.top; row <= cover.box.bottom; ++row) {
    for (int column = cover.box.left; column <= cover.box.right; ++column) {
      const double value = cover.at(column, row);
      if (value > 0)
        intersection += std::min(value, linear_coverage(shape, column + 0.5 - mass.centre.x, row + 0.5 - y, radius));
    }
  }
  return intersection / (2 * mass.area - intersection);
}

/** Distance of the scale from that of the size, in octaves; negative for objects too small. */
double octaves(double scale, Size size) {
  return std::log2(scale / kSizeScale[static_cast<size_t>(size)]);
}

/** Up to a quarter too large or too small is free, twice or half is no object of normal size. */
double normal_size_fit(double scale) {
  return 1 - ramp(std::abs(octaves(scale, Size::normal)), 0.3, 1.0);
}

/** The same for the smallest size, more narrowly: below it are specks. */
double small_size_fit(double scale) {
  return 1 - ramp(std::abs(octaves(scale, Size::small)), 0.3, 0.55);
}

double size_fit(double scale) {
  return std::max(normal_size_fit(scale), small_size_fit(scale));
}

void score_size(Detection& detection) {
  const double normal = std::abs(octaves(detection.scale, Size::normal));
  const double small = std::abs(octaves(detection.scale, Size::small));
  detection.size_scores[1] = 1 / (1 + std::exp((small - normal) / kSizeSpread));
  detection.size_scores[0] = 1 - detection.size_scores[1];
  detection.size = small < normal ? Size::small : Size::normal;
}

/** Softmax of overlaps, times how well the best template fits in outline and in size. */
void score_shape(const Patch& cover, const World& world, Detection& detection) {
  const Mass mass = measure_mass(cover);
  std::array<double, kShapeNames.size()> radii{}, overlaps{};
  for (size_t shape = 0; shape < overlaps.size(); ++shape) {
    radii[shape] = std::sqrt(mass.area / unit_area(static_cast<Shape>(shape)));
    overlaps[shape] = overlap(cover, mass, static_cast<Shape>(shape), radii[shape]);
  }
  const size_t best = std::max_element(overlaps.begin(), overlaps.end()) - overlaps.begin();
  detection.shape = static_cast<Shape>(best);
  const double radius = radii[best];
  detection.x = mass.centre.x;
  detection.y = mass.centre.y - unit_mass_offset(detection.shape) * radius;
  detection.box = {detection.x - radius, detection.y - radius, detection.x + radius, detection.y + radius};
  detection.scale = radius / world.radius;
  score_size(detection);
  const double right_size = size_fit(detection.scale);
  detection.fit = ramp(overlaps[best], kNoFit, kFullFit);
  double sum = 0;
  for (double value : overlaps) sum += std::exp((value - overlaps[best]) / kOverlapSpread);
  for (size_t shape = 0; shape < overlaps.size(); ++shape)
    detection.shape_scores[shape] =
        std::exp((overlaps[shape] - overlaps[best]) / kOverlapSpread) / sum * detection.fit * right_size;
  detection.shape_confidence = detection.shape_scores[best];
}

/** Posterior of the palette under Gaussian drift, against a constant density of foreign colours, times purity. */
void score_colour(const Fill& fill, Detection& detection) {
  const auto density = [](double squared) { return std::exp(-squared / (2 * kColourSpread * kColourSpread)); };
  detection.purity = 1 / (1 + fill.deviation * fill.deviation / (kUnevenFill * kUnevenFill));
  double sum = density(kForeignColour * kForeignColour);
  for (size_t colour = 0; colour < kColourNames.size(); ++colour) {
    detection.colour_scores[colour] = density(squared_distance(fill.colour, rgb(static_cast<Colour>(colour))));
    sum += detection.colour_scores[colour];
  }
  for (double& score : detection.colour_scores) score *= detection.purity / sum;
  const auto best = std::max_element(detection.colour_scores.begin(), detection.colour_scores.end());
  detection.colour = static_cast<Colour>(best - detection.colour_scores.begin());
  detection.colour_confidence = *best;
}

/** Median of every channel over the outermost pixels, which no object reaches. */
Rgb border_colour(const Image& image) {
  Rgb result{};
  for (int channel = 0; channel < 3; ++channel) {
    std::vector<uint8_t> values;
    for (int row = 0; row < image.height; ++row)
      for (int column = 0; column < image.width; ++column)
        if (row == 0 || column == 0 || row == image.height - 1 || column == image.width - 1)
          values.push_back(image.pixels[(static_cast<size_t>(row) * image.width + column) * 3 + channel]);
    const auto middle = values.begin() + values.size() / 2;
    std::nth_element(values.begin(), middle, values.end());
    result[channel] = *middle;
  }
  return result;
}

}  // namespace

BackgroundDetection detect_background(const Image& image) {
  BackgroundDetection detection;
  if (image.pixels.empty()) return detection;
  const Rgb border = border_colour(image);
  const auto density = [](double squared) { return std::exp(-squared / (2 * kBackgroundSpread * kBackgroundSpread)); };
  std::array<double, kBackgroundNames.size()> distances{};
  double sum = density(kForeignBackground * kForeignBackground);
  for (size_t index = 0; index < distances.size(); ++index) {
    distances[index] = squared_distance(border, rgb(static_cast<Background>(index)));
    detection.scores[index] = density(distances[index]);
    sum += detection.scores[index];
  }
  for (double& score : detection.scores) score /= sum;
  const size_t nearest = std::min_element(distances.begin(), distances.end()) - distances.begin();
  detection.background = static_cast<Background>(nearest);
  detection.confidence = detection.scores[nearest];
  return detection;
}

Detection expecting_normal_size(Detection detection) {
  if (detection.shape_confidence == 0) return detection;
  const double share = normal_size_fit(detection.scale) / size_fit(detection.scale);
  for (double& score : detection.shape_scores) score *= share;
  detection.shape_confidence *= share;
  detection.confidence *= share;
  return detection;
}

std::vector<Detection> detect(const Image& image, const World& world) {
  const Rgb background = rgb(detect_background(image).background);
  const double smallest_area = kSmallestArea * std::numbers::pi * world.radius * world.radius;
  const Pieces pieces = find_pieces(image, background);
  std::vector<Detection> detections;
  for (int label = 1; label <= static_cast<int>(pieces.boxes.size()); ++label) {
    if (pieces.areas[label - 1] < smallest_area) continue;
    const Fill fill = measure_fill(image, pieces, label, background, world);
    const Patch cover = measure_cover(image, pieces, label, background, fill.colour);
    Detection& detection = detections.emplace_back();
    score_shape(cover, world, detection);
    score_colour(fill, detection);
    detection.confidence = detection.shape_confidence * detection.colour_confidence;
  }
  return detections;
}

}  // namespace diptych::shapes
