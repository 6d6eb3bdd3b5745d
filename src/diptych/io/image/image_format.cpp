#include "diptych/io/image/image_format.h"

#include <algorithm>

#include "diptych/base/ascii.h"

namespace diptych {

namespace {

using namespace std::string_view_literals;

/** Bytes at a place of the file that tell its format. */
struct FormatMark {
  size_t place;
  std::string_view bytes;
  const char* name;
};

// The first that fits counts. Of files in boxes (ISO 14496-12) the brand behind "ftyp" tells the format.
constexpr FormatMark kFormatMarks[] = {
    {0, "GIF8"sv, "a GIF image"},
    {8, "WEBP"sv, "a WebP image"},
    {4, "ftypavif"sv, "an AVIF image"},
    {4, "ftypavis"sv, "an AVIF image"},
    {4, "ftyphei"sv, "a HEIC image"},
    {4, "ftyphev"sv, "a HEIC image"},
    {4, "ftypmif1"sv, "a HEIC or AVIF image"},
    {4, "ftypmsf1"sv, "a HEIC or AVIF image"},
    {4, "ftypcrx"sv, "a raw image of a camera (CR3)"},
    {4, "ftyp"sv, "a film (MP4 or QuickTime)"},
    {0, "II*\0"sv, "a TIFF image"},
    {0, "MM\0*"sv, "a TIFF image"},
    {0, "II+\0"sv, "a TIFF image"},
    {0, "MM\0+"sv, "a TIFF image"},
    {0, "BM"sv, "a BMP image"},
    {0, "\0\0\1\0"sv, "an icon (ICO)"},
    {0, "\0\0\0\x0cJXL "sv, "a JPEG XL image"},
    {0, "\xff\x0a"sv, "a JPEG XL image"},
    {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000 image"},
    {0, "\xff\x4f\xff\x51"sv, "a JPEG 2000 image"},
    {0, "8BPS"sv, "a Photoshop file"},
    {0, "%PDF"sv, "a PDF file"},
    {0, "\x1f\x8b"sv, "a gzip file"},
    {0, "PK\3\4"sv, "a zip file"},
    {0, "version https://git-lfs"sv, "a pointer of Git LFS (git lfs pull fetches the file)"},
};

bool has_mark(std::string_view bytes, const FormatMark& mark) {
  return bytes.size() >= mark.place && bytes.substr(mark.place).starts_with(mark.bytes);
}

/** Of a text, such as the page that a shop sends in the place of a picture. */
std::string text_format_name(std::string_view bytes) {
  const size_t begin = bytes.find_first_not_of(" \t\r\n\xef\xbb\xbf");
  const std::string start = ascii_lower(bytes.substr(std::min(begin, bytes.size()), 64));
  if (start.starts_with("<svg")) return "an SVG image";
  if (start.starts_with("<!doctype html") || start.starts_with("<html")) return "a web page";
  if (start.starts_with("<?xml")) return "an XML file, such as an SVG image";
  return "another format";
}

}  // namespace

ImageFormat image_format(std::span<const uint8_t> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x89PNG")) return ImageFormat::png;
  return text.starts_with("\xff\xd8\xff") ? ImageFormat::jpeg : ImageFormat::other;
}

std::string other_format_name(std::span<const uint8_t> bytes) {
  if (bytes.empty()) return "no bytes";
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  for (const FormatMark& mark : kFormatMarks)
    if (has_mark(text, mark)) return mark.name;
  return text_format_name(text);
}

}  // namespace diptych
