#include "diptych/text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace diptych {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
constexpr auto kCanonical = static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE);
constexpr int kLongestDecomposition = 8;  // code points; Unicode has none above 4

struct Part {
  std::size_t length;
  bool valid;
};

/** The well-formed character or maximal invalid part that starts at `position` (Unicode standard, table 3-7). */
Part next_part(std::string_view bytes, std::size_t position) {
  const auto lead = static_cast<uint8_t>(bytes[position]);
  if (lead < 0x80) return {1, true};
  if (lead < 0xC2 || lead > 0xF4) return {1, false};
  const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  const uint8_t second_min = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;  // no overlong forms
  const uint8_t second_max = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;  // no surrogates, none past U+10FFFF
  for (std::size_t i = 1; i < length; ++i) {
    if (position + i >= bytes.size()) return {i, false};
    const auto byte = static_cast<uint8_t>(bytes[position + i]);
    const bool second = i == 1;
    if (byte < (second ? second_min : 0x80) || byte > (second ? second_max : 0xBF)) return {i, false};
  }
  return {length, true};
}

/** Canonical decomposition, marks in the order in which they come. */
std::vector<utf8proc_int32_t> decompose(std::string_view utf8) {
  std::vector<utf8proc_int32_t> code_points;
  code_points.reserve(utf8.size());
  for (std::size_t position = 0; position < utf8.size();) {
    const auto code_point = static_cast<utf8proc_int32_t>(next_code_point(utf8, &position));
    utf8proc_int32_t parts[kLongestDecomposition];
    int boundary = 0;  // of grapheme clusters, which are of no interest here
    const utf8proc_ssize_t count =
        utf8proc_decompose_char(code_point, parts, kLongestDecomposition, kCanonical, &boundary);
    code_points.insert(code_points.end(), parts, parts + count);
  }
  return code_points;
}

/** Puts each run of combining marks into canonical order. utf8proc's own sort takes quadratic time, which a text of
 *  nothing but marks would turn into minutes. */
void order_marks(std::vector<utf8proc_int32_t>* code_points) {
  const auto combining_class = [](utf8proc_int32_t code_point) {
    return utf8proc_get_property(code_point)->combining_class;
  };
  const auto is_mark = [&](utf8proc_int32_t code_point) { return combining_class(code_point) != 0; };
  auto begin = code_points->begin();
  while ((begin = std::find_if(begin, code_points->end(), is_mark)) != code_points->end()) {
    const auto end = std::find_if_not(begin, code_points->end(), is_mark);
    std::stable_sort(begin, end, [&](auto a, auto b) { return combining_class(a) < combining_class(b); });
    begin = end;
  }
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<uint8_t>(c) < 0x80; });
}

}  // namespace

std::string repair_utf8(std::string_view bytes) {
  std::string repaired;
  repaired.reserve(bytes.size());
  for (std::size_t position = 0; position < bytes.size();) {
    const Part part = next_part(bytes, position);
    repaired += part.valid ? bytes.substr(position, part.length) : kReplacement;
    position += part.length;
  }
  return repaired;
}

char32_t next_code_point(std::string_view utf8, std::size_t* position) {
  const auto lead = static_cast<uint8_t>(utf8[(*position)++]);
  if (lead < 0x80) return lead;
  const int continuations = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
  char32_t code_point = lead & (0x3F >> continuations);
  for (int i = 0; i < continuations; ++i) {
    code_point = (code_point << 6) | (static_cast<uint8_t>(utf8[(*position)++]) & 0x3F);
  }
  return code_point;
}

void append_code_point(std::string* utf8, char32_t code_point) {
  utf8proc_uint8_t bytes[4];
  const utf8proc_ssize_t length = utf8proc_encode_char(static_cast<utf8proc_int32_t>(code_point), bytes);
  utf8->append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(length));
}

std::string normalize_nfc(std::string_view utf8) {
  if (is_ascii(utf8)) return std::string(utf8);
  std::vector<utf8proc_int32_t> code_points = decompose(utf8);
  order_marks(&code_points);
  const auto count = static_cast<utf8proc_ssize_t>(code_points.size());
  code_points.resize(static_cast<std::size_t>(utf8proc_normalize_utf32(code_points.data(), count, kCanonical)));
  std::string normalized;
  normalized.reserve(utf8.size());
  for (const utf8proc_int32_t code_point : code_points)
    append_code_point(&normalized, static_cast<char32_t>(code_point));
  return normalized;
}

bool is_letter(char32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}

bool is_number(char32_t code_point) {
  const utf8proc_category_t category = utf8proc_category(static_cast<utf8proc_int32_t>(code_point));
  return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
}

bool is_white_space(char32_t code_point) {
  return (code_point >= 0x09 && code_point <= 0x0D) || code_point == 0x20 || code_point == 0x85 || code_point == 0xA0 ||
         code_point == 0x1680 || (code_point >= 0x2000 && code_point <= 0x200A) || code_point == 0x2028 ||
         code_point == 0x2029 || code_point == 0x202F || code_point == 0x205F || code_point == 0x3000;
}

}  // namespace diptych
