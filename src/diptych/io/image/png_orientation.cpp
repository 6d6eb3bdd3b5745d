#include <zlib.h>

#include <algorithm>
#include <vector>

#include "diptych/base/ascii.h"
#include "diptych/io/image/exif.h"
#include "diptych/io/image/png_chunks.h"

namespace diptych {

namespace {

constexpr size_t kLargestProfile = size_t{1} << 18;  // bytes of text; EXIF in JPEG files ends at 64 KB

std::string_view as_view(std::span<const uint8_t> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

bool names_exif(std::string_view keyword) {
  return keyword == "Raw profile type exif" || keyword == "Raw profile type APP1";
}

/** What zlib's bytes hold, as far as they are whole and up to the largest profile. */
std::string inflated(std::span<const uint8_t> bytes) {
  std::string text(kLargestProfile, '\0');
  uLongf size = text.size();
  const int status = ::uncompress(reinterpret_cast<Bytef*>(text.data()), &size, bytes.data(), bytes.size());
  text.resize(status == Z_OK || status == Z_BUF_ERROR ? size : 0);
  return text;
}

/** The text of a chunk tEXt or zTXt with such a keyword; empty for others. */
std::string profile_text(std::string_view name, std::span<const uint8_t> chunk) {
  const auto end = static_cast<size_t>(std::find(chunk.begin(), chunk.end(), uint8_t{0}) - chunk.begin());
  if (end == chunk.size() || !names_exif(as_view(chunk.first(end)))) return "";
  if (name == "tEXt") return std::string(as_view(chunk.subspan(end + 1)));
  return chunk.size() < end + 2 ? "" : inflated(chunk.subspan(end + 2));  // behind a byte for the method
}

/** The bytes of a raw profile: hexadecimal digits behind an empty line, its name, and its size. */
std::vector<uint8_t> profile_bytes(std::string_view text) {
  for (int line = 0; line < 3; ++line) {
    const size_t end = text.find('\n');
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
  }
  std::vector<uint8_t> bytes;
  int high = -1;
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
    const int digit = is_ascii_digit(c) ? c - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
    if (digit < 0) continue;  // the ends of lines
    if (high >= 0) bytes.push_back(static_cast<uint8_t>(high * 16 + digit));
    high = high >= 0 ? -1 : digit;
  }
  return bytes;
}

}  // namespace

int png_orientation(std::span<const uint8_t> png) {
  int of_chunk = 1;
  int of_profile = 1;
  visit_png_chunks(png, [&](std::string_view name, std::span<const uint8_t> chunk) {
    if (name == "eXIf") of_chunk = exif_orientation(chunk);
    if (name != "tEXt" && name != "zTXt") return;
    const std::string text = profile_text(name, chunk);
    if (!text.empty()) of_profile = exif_orientation(profile_bytes(text));
  });
  return of_chunk != 1 ? of_chunk : of_profile;
}

}  // namespace diptych
