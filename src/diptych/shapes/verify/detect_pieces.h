#pragma once
// Foreground of a picture, cut into connected pieces: the first half of detect().

#include <vector>

#include "diptych/io/image/image.h"
#include "diptych/shapes/world/render.h"

namespace diptych::shapes {

/** A rectangle of pixels, both ends included. */
struct PixelBox {
  int left = 0;
  int top = 0;
  int right = 0;
  int bottom = 0;
};

struct Pieces {
  std::vector<int> labels;  // [height * width], 0 = background, k = boxes[k - 1]
  std::vector<int> areas;   // pixels of each piece
  std::vector<PixelBox> boxes;
};

/** 8-connected pieces of the foreground, in reading order of their first pixel. */
Pieces find_pieces(const Image& image, const Rgb& background);

}  // namespace diptych::shapes
