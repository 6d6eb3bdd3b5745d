#include "diptych/shapes/verify/detect_pieces.h"

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

/** Largest value within kReach; columns of the window if `along_rows`, rows otherwise. */
std::vector<float> spread_maximum(const std::vector<float>& values, int height, int width, bool along_rows) {
  std::vector<float> result = values;
  for (int offset = -kReach; offset <= kReach; ++offset) {
    const int down = along_rows ? 0 : offset;
    const int right = along_rows ? offset : 0;
    for (int row = std::max(0, -down); row < std::min(height, height - down); ++row) {
      const float* source = &values[static_cast<size_t>(row + down) * width];
      float* target = &result[static_cast<size_t>(row) * width];
      for (int column = std::max(0, -right); column < std::min(width, width - right); ++column)
        target[column] = std::max(target[column], source[column + right]);
    }
  }
  return result;
}

std::vector<char> foreground(const Image& image, const Rgb& background) {
  const std::vector<float> difference = differences(image, background);
  const std::vector<float> in_rows = spread_maximum(difference, image.height, image.width, true);
  const std::vector<float> strongest = spread_maximum(in_rows, image.height, image.width, false);
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
      box = {std::min(box.left, column), std::min(box.top, row), std::max(box.right, column),
             std::max(box.bottom, row)};
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
