#include "diptych/shapes/detect_pieces.h"

#include <algorithm>
#include <cmath>

namespace diptych::shapes {

namespace {

constexpr float kSmallestDifference = 40;  // RGB distance; above noise, below half of the palest colour
constexpr float kShareOfStrongest = 0.5f;
constexpr int kReach = 2;  // pixels; objects are never closer, so a strong one does not hide its pale neighbour

std::vector<float> differences(const Image& image, const Rgb& background) {
  std::vector<float> result(static_cast<size_t>(image.height) * image.width);
  for (size_t pixel = 0; pixel < result.size(); ++pixel) {
    float sum = 0;
    for (int channel = 0; channel < 3; ++channel) {
      const float difference = image.pixels[pixel * 3 + channel] - static_cast<float>(background[channel]);
      sum += difference * difference;
    }
    result[pixel] = std::sqrt(sum);
  }
  return result;
}

/** Largest value within kReach along one axis of length `length`; `stride` steps along it, `other` across. */
std::vector<float> spread_maximum(const std::vector<float>& values, int length, int stride, int count, int other) {
  std::vector<float> result(values.size());
  for (int line = 0; line < count; ++line) {
    for (int i = 0; i < length; ++i) {
      float largest = 0;
      for (int j = std::max(0, i - kReach); j <= std::min(length - 1, i + kReach); ++j)
        largest = std::max(largest, values[line * other + j * stride]);
      result[line * other + i * stride] = largest;
    }
  }
  return result;
}

std::vector<char> foreground(const Image& image, const Rgb& background) {
  const std::vector<float> difference = differences(image, background);
  const std::vector<float> along_rows = spread_maximum(difference, image.width, 1, image.height, image.width);
  const std::vector<float> strongest = spread_maximum(along_rows, image.height, image.width, image.width, 1);
  std::vector<char> result(difference.size());
  for (size_t pixel = 0; pixel < result.size(); ++pixel)
    result[pixel] = difference[pixel] > std::max(kSmallestDifference, kShareOfStrongest * strongest[pixel]);
  return result;
}

}  // namespace

Pieces find_pieces(const Image& image, const Rgb& background) {
  const std::vector<char> is_foreground = foreground(image, background);
  Pieces pieces;
  pieces.labels.assign(is_foreground.size(), 0);
  std::vector<int> pending;
  for (int start = 0; start < static_cast<int>(is_foreground.size()); ++start) {
    if (!is_foreground[start] || pieces.labels[start] != 0) continue;
    const int label = static_cast<int>(pieces.boxes.size()) + 1;
    PixelBox box{image.width, image.height, -1, -1};
    int area = 0;
    pieces.labels[start] = label;
    pending.push_back(start);
    while (!pending.empty()) {
      const int row = pending.back() / image.width;
      const int column = pending.back() % image.width;
      pending.pop_back();
      ++area;
      box = {std::min(box.left, column), std::min(box.top, row), std::max(box.right, column), std::max(box.bottom, row)};
      for (int y = std::max(0, row - 1); y <= std::min(image.height - 1, row + 1); ++y) {
        for (int x = std::max(0, column - 1); x <= std::min(image.width - 1, column + 1); ++x) {
          const int neighbour = y * image.width + x;
          if (!is_foreground[neighbour] || pieces.labels[neighbour] != 0) continue;
          pieces.labels[neighbour] = label;
          pending.push_back(neighbour);
        }
      }
    }
    pieces.areas.push_back(area);
    pieces.boxes.push_back(box);
  }
  return pieces;
}

}  // namespace diptych::shapes
