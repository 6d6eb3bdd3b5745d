#pragma once
// The hash that deals things out to splits. Changing it changes every split.

#include <cstdint>
#include <string_view>

namespace diptych::shapes {

/** FNV-1a with a final mix, so that texts that differ in the last letters lie far apart. */
constexpr uint64_t hash_text(std::string_view text) {
  uint64_t state = 0xcbf29ce484222325ull;
  for (const char letter : text) state = (state ^ static_cast<uint8_t>(letter)) * 0x100000001b3ull;
  state = (state ^ (state >> 33)) * 0xff51afd7ed558ccdull;
  return state ^ (state >> 33);
}

}  // namespace diptych::shapes
