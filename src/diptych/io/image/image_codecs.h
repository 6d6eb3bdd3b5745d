#pragma once
// Decoders behind decode_image. Each throws Error(data).

#include <cstdint>
#include <span>
#include <string>

#include "diptych/io/image/image.h"

namespace diptych {

/** The picture as its rows are stored, and what the file says about them. */
struct StoredImage {
  Image image;
  int orientation = 1;  // as in io/image/exif.h
  bool cmyk = false;    // was converted
};

StoredImage decode_png(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels);
StoredImage decode_jpeg(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels);

/** Throws Error(data) above 16384 pixels a side or max_pixels in all. */
void check_image_size(uint64_t width, uint64_t height, const std::string& name, uint64_t max_pixels);

}  // namespace diptych
