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

constexpr std::string_view kAsciiBlanks = " \t\r\n\f\v";

/** The text without blanks at both ends. `blanks`: those of a format that knows fewer. */
inline std::string_view trimmed(std::string_view text, std::string_view blanks = kAsciiBlanks) {
  const size_t first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

}  // namespace diptych
