#include "diptych/io/image/resize.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr int kFractionBits = 22;  // of the fixed-point weights: 32 bits less 8 of a pixel and 2 for overshoot

struct Size {
  int64_t width;
  int64_t height;
};

// nearbyint rounds halves to even in the default rounding mode, like Python's round.
int64_t scaled_side(int64_t side, double scale, int64_t stride) {
  const double rounded = std::nearbyint(static_cast<double>(side) * scale);
  const double steps = std::nearbyint(rounded / static_cast<double>(stride));
  return std::max(stride, static_cast<int64_t>(steps) * stride);
}

Size scaled(Size size, double scale, int64_t stride) {
  return {scaled_side(size.width, scale, stride), scaled_side(size.height, scale, stride)};
}

/** Source pixels and weights that make one target pixel. */
struct Taps {
  int first;
  std::vector<int32_t> weights;
};

/** Keys' cubic convolution kernel with a = -0.5. */
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

/** Taps of each target position; the rounding of places and weights follows Pillow's Resample.c. */
std::vector<Taps> make_taps(int source_size, int target_size) {
  const double scale = static_cast<double>(source_size) / target_size;
  const double widening = std::max(scale, 1.0);
  const double support = 2.0 * widening;
  std::vector<Taps> taps;
  std::vector<double> weights;
  for (int target = 0; target < target_size; ++target) {
    const double center = (target + 0.5) * scale;
    const int first = std::max(0, static_cast<int>(center - support + 0.5));
    const int end = std::min(source_size, static_cast<int>(center + support + 0.5));
    weights.clear();
    double sum = 0.0;
    for (int source = first; source < end; ++source) {
      weights.push_back(cubic((source - center + 0.5) * (1.0 / widening)));
      sum += weights.back();
    }
    Taps tap{first, {}};
    for (const double weight : weights) {
      const double fixed_point = weight / sum * (1 << kFractionBits);
      tap.weights.push_back(static_cast<int32_t>(fixed_point + (fixed_point < 0 ? -0.5 : 0.5)));
    }
    taps.push_back(std::move(tap));
  }
  return taps;
}

uint8_t to_pixel(int32_t sum) {
  return static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

constexpr int32_t kHalf = 1 << (kFractionBits - 1);

Image resize_rows(const Image& image, int width) {
  if (image.width == width) return image;
  const std::vector<Taps> taps = make_taps(image.width, width);
  Image result{image.height, width, std::vector<uint8_t>(size_t(image.height) * size_t(width) * 3)};
  uint8_t* target = result.pixels.data();
  for (int y = 0; y < image.height; ++y) {
    const uint8_t* row = &image.pixels[size_t(y) * size_t(image.width) * 3];
    for (const Taps& tap : taps) {
      int32_t sum[3] = {kHalf, kHalf, kHalf};
      const uint8_t* source = row + tap.first * 3;
      for (const int32_t weight : tap.weights) {
        for (int c = 0; c < 3; ++c) sum[c] += *source++ * weight;
      }
      for (int c = 0; c < 3; ++c) *target++ = to_pixel(sum[c]);
    }
  }
  return result;
}

Image resize_columns(const Image& image, int height) {
  if (image.height == height) return image;
  const std::vector<Taps> taps = make_taps(image.height, height);
  const size_t row_bytes = size_t(image.width) * 3;
  Image result{height, image.width, std::vector<uint8_t>(size_t(height) * row_bytes)};
  std::vector<int32_t> sums(row_bytes);
  for (size_t y = 0; y < taps.size(); ++y) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const uint8_t* source = &image.pixels[size_t(taps[y].first) * row_bytes];
    for (const int32_t weight : taps[y].weights) {
      for (size_t x = 0; x < row_bytes; ++x) sums[x] += source[x] * weight;
      source += row_bytes;
    }
    for (size_t x = 0; x < row_bytes; ++x) result.pixels[y * row_bytes + x] = to_pixel(sums[x]);
  }
  return result;
}

}  // namespace

std::pair<int, int> resized_size(int width, int height, const ResizeRule& rule, int img_num) {
  double scale = std::min(static_cast<double>(rule.max_long) / std::max(width, height), 1.0);
  scale = std::max(scale, static_cast<double>(rule.min_short) / std::min(width, height));
  Size size = scaled({width, height}, scale, rule.stride);

  const double max_pixels = static_cast<double>(rule.max_pixels) / img_num;
  const auto pixels = static_cast<double>(size.width * size.height);
  if (pixels > max_pixels) size = scaled(size, max_pixels / pixels, rule.stride);

  const int64_t longest = std::max(size.width, size.height);
  if (longest > rule.max_long)
    size = scaled(size, static_cast<double>(rule.max_long) / static_cast<double>(longest), rule.stride);
  return {static_cast<int>(size.width), static_cast<int>(size.height)};
}

Image resize_bicubic(const Image& image, int width, int height) {
  if (image.width < 1 || image.height < 1 || width < 1 || height < 1) {
    throw Error(ExitCode::internal, {"resize_bicubic", "sizes from 1",
                                     cat(image.width, " x ", image.height, " to ", width, " x ", height), ""});
  }
  const int height_loss = image.height - height;
  const bool columns_first = height_loss > 0 && height_loss > 2 * (image.width - width);
  return columns_first ? resize_rows(resize_columns(image, height), width)
                       : resize_columns(resize_rows(image, width), height);
}

}  // namespace diptych
