#include "diptych/io/image.h"

#include <algorithm>
#include <array>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/image_codecs.h"

namespace diptych {

namespace {

constexpr uint64_t kLongestSide = 16384;  // pixels
constexpr std::array<uint8_t, 4> kPngStart = {0x89, 'P', 'N', 'G'};
constexpr std::array<uint8_t, 3> kJpegStart = {0xff, 0xd8, 0xff};

template <size_t size>
bool starts_with(std::span<const uint8_t> bytes, const std::array<uint8_t, size>& start) {
  return bytes.size() >= size && std::equal(start.begin(), start.end(), bytes.begin());
}

/** Copies the image to (left, top) of the canvas, each pixel as a square of scale x scale. */
void paste(const Image& image, int left, int top, int scale, Image& canvas) {
  for (int y = 0; y < image.height * scale; ++y) {
    const uint8_t* source = &image.pixels[size_t(y / scale) * size_t(image.width) * 3];
    uint8_t* target = &canvas.pixels[(size_t(top + y) * size_t(canvas.width) + size_t(left)) * 3];
    for (int x = 0; x < image.width * scale; ++x) std::copy_n(source + x / scale * 3, 3, target + x * 3);
  }
}

}  // namespace

void check_image_size(uint64_t width, uint64_t height, const std::string& name, uint64_t max_pixels) {
  if (width > kLongestSide || height > kLongestSide || width * height > max_pixels) {
    throw Error(ExitCode::data,
                {name, cat("an image of at most ", kLongestSide, " pixels a side and ", max_pixels, " in all"),
                 cat(width, " x ", height), "scale it down"});
  }
}

Image decode_image(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels) {
  if (starts_with(bytes, kPngStart)) return decode_png(bytes, name, max_pixels);
  if (starts_with(bytes, kJpegStart)) return decode_jpeg(bytes, name, max_pixels);
  throw Error(ExitCode::data,
              {name, "a PNG or JPEG image", bytes.empty() ? "no bytes" : "another format", "convert it to PNG"});
}

Image read_image(const std::filesystem::path& path) {
  const std::string contents = read_file(path);
  return decode_image({reinterpret_cast<const uint8_t*>(contents.data()), contents.size()}, path.string());
}

void write_png(const std::filesystem::path& path, const Image& image) {
  const std::vector<uint8_t> bytes = encode_png(image);
  write_file_atomic(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

Image image_grid(const std::vector<Image>& images, int columns, int gap, int scale) {
  if (images.empty() || columns < 1 || gap < 0 || scale < 1)
    throw Error(ExitCode::internal, {"image_grid", "images, columns and a scale", "none", ""});
  const int count = static_cast<int>(images.size());
  const int used_columns = std::min(columns, count);
  const int rows = (count + columns - 1) / columns;
  const int cell_width = images[0].width * scale;
  const int cell_height = images[0].height * scale;
  Image grid{rows * cell_height + (rows - 1) * gap, used_columns * cell_width + (used_columns - 1) * gap, {}};
  grid.pixels.assign(size_t(grid.height) * size_t(grid.width) * 3, 255);
  for (int i = 0; i < count; ++i) {
    const Image& image = images[size_t(i)];
    if (image.width != images[0].width || image.height != images[0].height) {
      throw Error(ExitCode::internal, {"image_grid", cat("images of ", images[0].width, " x ", images[0].height),
                                       cat(image.width, " x ", image.height), ""});
    }
    paste(image, i % columns * (cell_width + gap), i / columns * (cell_height + gap), scale, grid);
  }
  return grid;
}

}  // namespace diptych
