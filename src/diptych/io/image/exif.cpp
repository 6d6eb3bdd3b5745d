#include "diptych/io/image/exif.h"

#include <algorithm>
#include <string_view>

namespace diptych {

namespace {

constexpr std::string_view kExifMark("Exif\0", 5);  // and one more byte, zero if the writer kept to the standard
constexpr size_t kTiffHeader = 8;                   // byte order, 42, place of the first directory
constexpr size_t kEntry = 12;                       // tag, type, number of values, the value or its place
constexpr uint32_t kOrientationTag = 0x0112;
constexpr uint32_t kByte = 1, kShort = 3, kLong = 4;

/** Unsigned numbers of a TIFF structure. */
struct TiffNumbers {
  std::span<const uint8_t> bytes;
  bool big_endian = false;

  /** Of `size` bytes at a place that is inside. */
  uint32_t at(size_t place, size_t size) const {
    uint32_t value = 0;
    for (size_t i = 0; i < size; ++i) value = value << 8 | bytes[place + (big_endian ? i : size - 1 - i)];
    return value;
  }
};

bool begins_with(std::span<const uint8_t> bytes, std::string_view mark) {
  return bytes.size() >= mark.size() && std::equal(mark.begin(), mark.end(), bytes.begin());
}

/** The value of an entry of the directory; 0 for one that is no single whole number. */
uint32_t entry_value(const TiffNumbers& tiff, size_t entry) {
  const uint32_t type = tiff.at(entry + 2, 2);
  if (tiff.at(entry + 4, 4) != 1) return 0;
  return type == kByte    ? tiff.at(entry + 8, 1)
         : type == kShort ? tiff.at(entry + 8, 2)
         : type == kLong  ? tiff.at(entry + 8, 4)
                          : 0;
}

}  // namespace

int exif_orientation(std::span<const uint8_t> exif) {
  if (begins_with(exif, kExifMark)) exif = exif.subspan(std::min(kExifMark.size() + 1, exif.size()));
  const TiffNumbers tiff{exif, begins_with(exif, "MM")};
  if (exif.size() < kTiffHeader || !(tiff.big_endian || begins_with(exif, "II")) || tiff.at(2, 2) != 42) return 1;
  const size_t directory = tiff.at(4, 4);
  if (directory + 2 > exif.size()) return 1;
  const size_t entries = std::min<size_t>(tiff.at(directory, 2), (exif.size() - directory - 2) / kEntry);
  for (size_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntry;
    if (tiff.at(entry, 2) != kOrientationTag) continue;
    const uint32_t value = entry_value(tiff, entry);
    return value >= 1 && value <= 8 ? static_cast<int>(value) : 1;
  }
  return 1;
}

Image turned_upright(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  // The numbers name the sides at which the first stored row and column are seen: 6 is (right, top).
  const bool rows_are_columns = orientation >= 5;
  const bool reverses_rows = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool reverses_columns = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  Image upright = image;
  if (rows_are_columns) std::swap(upright.width, upright.height);
  uint8_t* target = upright.pixels.data();
  for (int y = 0; y < upright.height; ++y) {
    for (int x = 0; x < upright.width; ++x, target += 3) {
      int row = rows_are_columns ? x : y;
      int column = rows_are_columns ? y : x;
      if (reverses_rows) row = image.height - 1 - row;
      if (reverses_columns) column = image.width - 1 - column;
      std::copy_n(&image.pixels[(size_t(row) * size_t(image.width) + size_t(column)) * 3], 3, target);
    }
  }
  return upright;
}

}  // namespace diptych
