#pragma once
// A size of pictures as people write it.

#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

namespace diptych {

struct PixelSize {
  int64_t width = 0;
  int64_t height = 0;
};

/** The size of a text of the form WIDTHxHEIGHT, such as 1024x768; nothing for another. */
inline std::optional<PixelSize> parse_pixel_size(std::string_view text) {
  PixelSize size;
  const char* end = text.data() + text.size();
  const auto [cross, failure] = std::from_chars(text.data(), end, size.width);
  if (failure != std::errc() || cross == end || *cross != 'x') return std::nullopt;
  const auto [rest, second_failure] = std::from_chars(cross + 1, end, size.height);
  if (second_failure != std::errc() || rest != end) return std::nullopt;
  return size;
}

}  // namespace diptych
