#include "diptych/io/image/image.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/image/exif.h"
#include "diptych/io/image/image_codecs.h"
#include "diptych/io/image/image_format.h"

namespace diptych {

namespace {

constexpr uint64_t kLongestSide = 16384;             // pixels
constexpr uint64_t kMostPixels = uint64_t{1} << 28;  // of a file

StoredImage decode_stored(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels) {
  switch (image_format(bytes)) {
    case ImageFormat::png:
      return decode_png(bytes, name, max_pixels);
    case ImageFormat::jpeg:
      return decode_jpeg(bytes, name, max_pixels);
    case ImageFormat::other:
      break;
  }
  throw Error(ExitCode::data,
              {name, "a PNG or JPEG image", other_format_name(bytes), "convert it to PNG or JPEG, or leave it out"});
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

Image decode_image(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels, DecodingNotes* notes) {
  StoredImage stored = decode_stored(bytes, name, max_pixels);
  if (notes != nullptr) *notes = {.turned = stored.orientation != 1, .cmyk = stored.cmyk};
  return turned_upright(std::move(stored.image), stored.orientation);
}

Image read_image(const std::filesystem::path& path, DecodingNotes* notes) {
  const std::string contents = read_file(path);
  const auto* bytes = reinterpret_cast<const uint8_t*>(contents.data());
  return decode_image({bytes, contents.size()}, path.string(), kMostPixels, notes);
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
