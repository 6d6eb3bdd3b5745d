#include <png.h>

#include <csetjmp>
#include <cstring>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/image/image_codecs.h"
#include "diptych/io/image/png_chunks.h"

namespace diptych {

namespace {

constexpr size_t kMostBytesPerByte = 1032;  // of compression by deflate

// libpng reports errors by longjmp, which must not cross a C++ object with a destructor. So everything lives in
// PngReader, whose owner sits above the setjmp, and the functions below it hold plain values only.
struct PngReader {
  std::span<const uint8_t> input;
  size_t position = 0;
  char problem[160] = "";
  png_structp png = nullptr;
  png_infop info = nullptr;
  int width = 0;
  int height = 0;
  size_t stored_row_bytes = 0;  // before compression
  std::vector<uint8_t> rgba;
  std::vector<png_bytep> rows;

  ~PngReader() { png_destroy_read_struct(&png, &info, nullptr); }
};

void on_error(png_structp png, png_const_charp message) {
  auto* reader = static_cast<PngReader*>(png_get_error_ptr(png));
  std::snprintf(reader->problem, sizeof reader->problem, "%s", message);
  png_longjmp(png, 1);
}

void on_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep target, size_t size) {
  auto* reader = static_cast<PngReader*>(png_get_io_ptr(png));
  if (size > reader->input.size() - reader->position) png_error(png, "the file ends too early");
  std::memcpy(target, reader->input.data() + reader->position, size);
  reader->position += size;
}

bool read_header(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  // Without comments, profiles and gamma, which libpng would unpack and keep: a thousand of megabytes each.
  png_set_keep_unknown_chunks(reader.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(reader.png, reader.info);
  reader.width = static_cast<int>(png_get_image_width(reader.png, reader.info));
  reader.height = static_cast<int>(png_get_image_height(reader.png, reader.info));
  reader.stored_row_bytes = png_get_rowbytes(reader.png, reader.info);
  return true;
}

/** Asks for four bytes a pixel. Not before the size is checked: libpng takes memory for rows here. */
bool set_layout(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_set_expand(reader.png);
  png_set_strip_16(reader.png);
  png_set_gray_to_rgb(reader.png);
  png_set_add_alpha(reader.png, 0xff, PNG_FILLER_AFTER);
  png_set_interlace_handling(reader.png);
  png_read_update_info(reader.png, reader.info);
  return true;
}

bool read_pixels(PngReader& reader) {
  if (setjmp(png_jmpbuf(reader.png)) != 0) return false;
  png_read_image(reader.png, reader.rows.data());
  png_read_end(reader.png, nullptr);
  return true;
}

/** value / 255, rounded to nearest. */
uint8_t divide_by_255(int value) {
  return static_cast<uint8_t>((value + 127) / 255);
}

}  // namespace

StoredImage decode_png(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels) {
  PngReader reader;
  reader.input = bytes;
  const auto fail = [&] {
    throw Error(ExitCode::data, {name, "a PNG image", reader.problem, "open and save it again, or leave it out"});
  };
  reader.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &reader, on_error, on_warning);
  reader.info = reader.png == nullptr ? nullptr : png_create_info_struct(reader.png);
  if (reader.info == nullptr) throw std::bad_alloc();
  // libpng takes the memory that a chunk asks for before it looks whether the bytes are there.
  if (!visit_png_chunks(bytes, [](std::string_view, std::span<const uint8_t>) {})) {
    std::snprintf(reader.problem, sizeof reader.problem, "the file ends too early");
    fail();
  }
  // The limit of this library is larger and its message lacks the numbers, so check_image_size decides.
  png_set_user_limits(reader.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  png_set_read_fn(reader.png, &reader, read_bytes);

  if (!read_header(reader)) fail();
  check_image_size(static_cast<uint64_t>(reader.width), static_cast<uint64_t>(reader.height), name, max_pixels);
  if (reader.stored_row_bytes * static_cast<size_t>(reader.height) > kMostBytesPerByte * bytes.size()) {
    std::snprintf(reader.problem, sizeof reader.problem, "only %zu bytes for %d x %d pixels", bytes.size(),
                  reader.width, reader.height);
    fail();
  }
  if (!set_layout(reader)) fail();
  const size_t width = static_cast<size_t>(reader.width);
  const size_t height = static_cast<size_t>(reader.height);
  if (png_get_rowbytes(reader.png, reader.info) != width * 4)
    throw Error(ExitCode::internal, {name, "four bytes a pixel from libpng", "another layout", ""});
  reader.rgba.resize(width * height * 4);
  for (size_t y = 0; y < height; ++y) reader.rows.push_back(reader.rgba.data() + y * width * 4);
  if (!read_pixels(reader)) fail();

  StoredImage stored{.image = {reader.height, reader.width, std::vector<uint8_t>(width * height * 3)},
                     .orientation = png_orientation(bytes)};
  for (size_t i = 0; i < width * height; ++i) {
    const uint8_t* pixel = &reader.rgba[i * 4];
    const int alpha = pixel[3];
    for (int c = 0; c < 3; ++c)
      stored.image.pixels[i * 3 + static_cast<size_t>(c)] = divide_by_255(pixel[c] * alpha + 255 * (255 - alpha));
  }
  return stored;
}

std::vector<uint8_t> encode_png(const Image& image) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = static_cast<png_uint_32>(image.width);
  header.height = static_cast<png_uint_32>(image.height);
  header.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(header);
  std::vector<uint8_t> bytes(size);
  if (!png_image_write_to_memory(&header, bytes.data(), &size, 0, image.pixels.data(), 0, nullptr)) {
    throw Error(ExitCode::internal, {"encode_png", "an image that libpng can write",
                                     cat(image.width, " x ", image.height, ": ", header.message), ""});
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace diptych
