#pragma once
// Small text helpers, since g++ 12 has no <format>.

#include <cstdio>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace diptych {

/** All arguments streamed into one string. */
template <class... Parts>
std::string cat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/** A number with a fixed count of decimals. */
inline std::string fixed(double value, int decimals) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", decimals, value);
  return buffer;
}

/** The items, each streamed, with a separator between them. */
template <class Items>
std::string join(const Items& items, std::string_view separator) {
  std::ostringstream out;
  bool first = true;
  for (const auto& item : items) {
    if (!first) out << separator;
    out << item;
    first = false;
  }
  return out.str();
}

}  // namespace diptych
