#include "diptych/io/base64.h"

#include <algorithm>
#include <array>

namespace diptych {

namespace {
constexpr char kAlphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr uint8_t kNoDigit = 0xff;
constexpr uint8_t kBlank = 0xfe;

constexpr std::array<uint8_t, 256> digit_values() {
  std::array<uint8_t, 256> values{};
  values.fill(kNoDigit);
  for (uint8_t value = 0; value < 64; ++value) values[static_cast<uint8_t>(kAlphabet[value])] = value;
  values['-'] = 62;
  values['_'] = 63;
  for (const uint8_t blank : {' ', '\t', '\r', '\n'}) values[blank] = kBlank;
  return values;
}
}  // namespace

std::string base64_encode(std::span<const uint8_t> bytes) {
  std::string text((bytes.size() + 2) / 3 * 4, '=');
  char* out = text.data();
  for (size_t start = 0; start < bytes.size(); start += 3, out += 4) {
    const size_t count = std::min<size_t>(3, bytes.size() - start);
    const uint32_t group = uint32_t{bytes[start]} << 16 | (count > 1 ? uint32_t{bytes[start + 1]} << 8 : 0) |
                           (count > 2 ? uint32_t{bytes[start + 2]} : 0);
    for (size_t digit = 0; digit <= count; ++digit) out[digit] = kAlphabet[group >> (18 - 6 * digit) & 63];
  }
  return text;
}

std::optional<std::vector<uint8_t>> base64_decode(std::string_view text) {
  static constexpr std::array<uint8_t, 256> kDigits = digit_values();
  std::vector<uint8_t> bytes;
  bytes.reserve(text.size() / 4 * 3 + 2);
  uint32_t group = 0;
  int bits = 0;  // that wait for the rest of their byte
  int padding = 0;
  for (const char character : text) {
    const uint8_t digit = kDigits[static_cast<uint8_t>(character)];
    if (digit == kBlank) continue;
    if (character == '=') {
      if (++padding > 2) return std::nullopt;
      continue;
    }
    if (digit == kNoDigit || padding > 0) return std::nullopt;
    group = group << 6 | digit;
    bits += 6;
    if (bits < 8) continue;
    bits -= 8;
    bytes.push_back(static_cast<uint8_t>(group >> bits));
  }
  // A last group of one, two or three digits leaves 6, 4 or 2 bits, and room for 3, 2 or 1 signs of padding.
  const bool ends_well = bits != 6 && padding <= bits / 2 && (group & ((uint32_t{1} << bits) - 1)) == 0;
  return ends_well ? std::optional(std::move(bytes)) : std::nullopt;
}

}  // namespace diptych
