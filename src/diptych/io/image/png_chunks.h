#pragma once
// The chunks of a PNG file (PNG specification 5.3).

#include <cstdint>
#include <span>
#include <string_view>

namespace diptych {

/** Calls visit(name of four letters, contents) for each chunk in front of the last one; checksums are not looked at.
 *  False, in the end, if a chunk does not end inside the file or the last one is missing. */
template <class Visit>
bool visit_png_chunks(std::span<const uint8_t> png, const Visit& visit) {
  constexpr size_t kSignature = 8, kFrame = 12;  // of a chunk: length, name, checksum
  for (size_t start = kSignature; png.size() >= start + kFrame;) {
    size_t length = 0;
    for (size_t i = 0; i < 4; ++i) length = length << 8 | png[start + i];
    if (length > png.size() - start - kFrame) return false;
    const std::string_view name(reinterpret_cast<const char*>(&png[start + 4]), 4);
    if (name == "IEND") return true;
    visit(name, png.subspan(start + 8, length));
    start += kFrame + length;
  }
  return false;
}

/** The orientation that a PNG file names (io/image/exif.h): in its chunk eXIf, or in a text chunk "Raw profile type
 * exif" or "Raw profile type APP1", which ImageMagick and others wrote before that chunk existed. 1 without any. */
int png_orientation(std::span<const uint8_t> png);

}  // namespace diptych
