#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace diptych {

enum class ImageFormat { png, jpeg, other };

/** Told by the first bytes, whatever the file is called. */
ImageFormat image_format(std::span<const uint8_t> bytes);

/** What bytes that are neither PNG nor JPEG seem to be, for a message, such as "a WebP image". */
std::string other_format_name(std::span<const uint8_t> bytes);

}  // namespace diptych
