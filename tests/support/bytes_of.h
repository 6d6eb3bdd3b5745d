#pragma once
// The bytes of a text, as contents of tensors and files.

#include <cstddef>
#include <span>
#include <string>

namespace diptych {

/** Valid as long as `text` is. */
inline std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace diptych
