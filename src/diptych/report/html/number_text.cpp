#include "diptych/report/html/number_text.h"

#include <cmath>
#include <cstdint>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr const char* kMinus = "−";  // as wide as the plus

std::string scientific(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.2g", value);
  std::string text = buffer;
  // 1.5e-05 → 1.5e-5
  const size_t exponent = text.find('e');
  if (exponent != text.npos) {
    size_t digits = exponent + 2;
    while (digits + 1 < text.size() && text[digits] == '0') text.erase(digits, 1);
    if (text[exponent + 1] == '+') text.erase(exponent + 1, 1);
  }
  return text;
}

std::string with_sign(double change, const std::string& magnitude) {
  return (change < 0 ? kMinus : change > 0 ? "+" : "±") + magnitude;
}

}  // namespace

std::string number_text(double value) {
  const double size = std::abs(value);
  if (!std::isfinite(value)) return "not finite";
  if (size != 0 && (size < 1e-4 || size >= 1e6)) return scientific(value);
  if (size >= 1000) return fixed(value, 0);
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, "%.3g", value);
  return std::string_view(buffer) == "1e+03" ? "1000" : buffer;
}

std::string percent_text(double share) {
  return fixed(100 * share, 1) + " %";
}

std::string change_text(double change) {
  return with_sign(change, number_text(std::abs(change)));
}

std::string points_text(double change) {
  const double rounded = std::round(1000 * change) / 1000;
  return with_sign(rounded, fixed(std::abs(100 * rounded), 1));
}

std::string duration_text(double seconds) {
  if (seconds < 90) return fixed(seconds, 0) + " s";
  if (seconds < 5400) return fixed(seconds / 60, 1) + " min";
  return fixed(seconds / 3600, 1) + " h";
}

std::string count_text(int64_t count, const std::string& noun) {
  return cat(count, " ", noun, count == 1 ? "" : "s");
}

}  // namespace diptych
