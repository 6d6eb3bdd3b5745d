#pragma once
// Decoders behind decode_image. Each throws Error(data).

#include <cstdint>
#include <span>
#include <string>

#include "diptych/io/image.h"

namespace diptych {

Image decode_png(std::span<const uint8_t> bytes, const std::string& name);
Image decode_jpeg(std::span<const uint8_t> bytes, const std::string& name);

/** Throws Error(data) above 16384 pixels a side. 2^28 pixels in all follow from that. */
void check_image_size(uint64_t width, uint64_t height, const std::string& name);

}  // namespace diptych
