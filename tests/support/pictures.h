#pragma once
// Pictures that need no file.

#include <cstdint>

#include "diptych/io/image/image.h"

namespace diptych {

/** A picture without two equal neighbours; different tones give different pictures. */
inline Image picture(int height, int width, int tone) {
  Image image{height, width, std::vector<uint8_t>(static_cast<size_t>(height * width * 3))};
  for (size_t i = 0; i < image.pixels.size(); ++i)
    image.pixels[i] = static_cast<uint8_t>(static_cast<size_t>(tone) + 5 * (i % 7) + 11 * (i % 13));
  return image;
}

}  // namespace diptych
