#pragma once
// Image sizes and pixels as BAGEL prepares them for its autoencoder and its ViT.

#include <cstdint>
#include <utility>

#include "diptych/io/image/image.h"

namespace diptych {

/** Limits of one transform (BAGEL data/transforms.py, MaxLongEdgeMinShortEdgeResize); pixels. */
struct ResizeRule {
  int64_t max_long = 0;
  int64_t min_short = 0;
  int64_t stride = 1;
  int64_t max_pixels = 14 * 14 * 9 * 1024;
};

/** Size (width, height) after the rule. The long side shrinks to max_long, then the short side grows to min_short, both
 *  sides go to multiples of the stride (half to even), and the result is scaled down again above max_pixels / img_num
 *  pixels (both sides by the ratio of pixels, not its root, as in BAGEL) and above max_long. */
std::pair<int, int> resized_size(int width, int height, const ResizeRule& rule, int img_num = 1);

/** Bicubic resize with antialiasing, equal to Image.resize(BICUBIC) of Pillow 13 in every byte: a = -0.5, support
 * widened when shrinking, one pass per direction, rounded and clamped to 8 bits after each. The horizontal pass comes
 * first, unless the height shrinks by more than twice the pixels the width does (before version 13 it always came
 * first, which differs by a few levels in such images). */
Image resize_bicubic(const Image& image, int width, int height);

}  // namespace diptych
