#include <png.h>
#include <zlib.h>

#include <cstring>

#include "diptych/io/base64.h"
#include "diptych/io/data_uri.h"
#include "diptych/io/image/image.h"
#include "diptych/io/image/resize.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

constexpr uint64_t kMostPixels = uint64_t{1} << 24;  // as a server takes them
constexpr size_t kPngSignature = 8;
constexpr size_t kPngChunkFrame = 12;  // length, name, checksum

std::span<const uint8_t> as_octets(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

void read_image_bytes(std::span<const std::byte> bytes) {
  const Image image = decode_image(as_octets(bytes), "input", kMostPixels);
  require(image.width > 0 && image.height > 0, "an image without pixels");
  require(image.pixels.size() == size_t(image.width) * size_t(image.height) * 3, "pixels do not fill the image");
  const auto [width, height] = resized_size(image.width, image.height, {.max_long = 32, .min_short = 16, .stride = 8});
  require(width >= 8 && height >= 8 && width % 8 == 0 && height % 8 == 0, "a size off the stride");
  if (image.pixels.size() > 100'000) return;
  const Image resized = resize_bicubic(image, width, height);
  require(resized.pixels.size() == size_t(width) * size_t(height) * 3, "pixels do not fill the resized image");
}

uint32_t read_big_endian(const std::byte* bytes) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint32_t>(bytes[i]);
  return value;
}

/** Checksums of all chunks, up to the first that does not end in the file. */
void mend_png(Bytes& bytes) {
  for (size_t start = kPngSignature; start + kPngChunkFrame <= bytes.size();) {
    const size_t length = read_big_endian(&bytes[start]);
    if (length > bytes.size() - start - kPngChunkFrame) return;
    const auto* name = reinterpret_cast<const Bytef*>(&bytes[start + 4]);
    const auto checksum = static_cast<uint32_t>(::crc32(0, name, static_cast<uInt>(length + 4)));
    for (size_t i = 0; i < 4; ++i) bytes[start + 8 + length + i] = static_cast<std::byte>(checksum >> (24 - 8 * i));
    start += length + kPngChunkFrame;
  }
}

void read_base64(std::span<const std::byte> bytes) {
  const std::string_view text = as_text(bytes);
  const auto decoded = base64_decode(text);
  if (!decoded) return;
  require(decoded->size() <= text.size() / 4 * 3 + 3, "more bytes than the text can hold");
  require(base64_decode(base64_encode(*decoded)) == decoded, "base64 that reads back differently");
}

void read_data_uri(std::span<const std::byte> bytes) {
  const std::string_view uri = as_text(bytes);
  const bool is_empty = decode_data_uri(uri, "input").empty();
  require(is_data_uri(uri) && !is_empty, "bytes of what is no data URI, or none");
}

}  // namespace

std::vector<Target> image_targets() {
  return {
      {.name = "png",
       .read = read_image_bytes,
       .words = {"IHDR", "PLTE", "tRNS", "IDAT", "IEND", "gAMA", "iCCP", "zTXt", "tEXt", "sBIT", "bKGD", "acTL", "eXIf",
                 "MM", "II", "Raw profile type exif", "Raw profile type APP1"},
       .mend = mend_png},
      {.name = "jpeg",
       .read = read_image_bytes,
       .words = {"\xff\xd8\xff", "\xff\xc0", "\xff\xc2", "\xff\xc4", "\xff\xc9", "\xff\xcc", "\xff\xd9", "\xff\xda",
                 "\xff\xdb", "\xff\xdd", "\xff\xd0", "\xff\xee", "\xff\xe1", "Adobe", "JFIF", "Exif", "MM", "II"}},
      {.name = "base64", .read = read_base64, .words = {"=", "==", "+", "/", "-", "_", "\r\n", " "}},
      {.name = "data_uri",
       .read = read_data_uri,
       .words = {"data:", "DATA:", ";base64,", ";", ",", "image/png", "charset=utf-8", "%2B", "%3D", "%",
                 "==", "\r\n"}},
  };
}

}  // namespace diptych::fuzz
