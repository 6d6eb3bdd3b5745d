#pragma once
// Characters of ASCII, whatever the locale.

#include <string>
#include <string_view>

namespace diptych {

inline bool is_ascii_digit(char c) {
  return c >= '0' && c <= '9';
}

/** The text without capital letters of ASCII; other characters stay. */
inline std::string ascii_lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

}  // namespace diptych
