#pragma once
// Images in memory, and PNG and JPEG files.

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace diptych {

/** 8-bit sRGB, row-major, three bytes a pixel: pixels.size() == height * width * 3. */
struct Image {
  int height = 0;
  int width = 0;
  std::vector<uint8_t> pixels;
};

/** Reads a PNG or JPEG file (told apart by its first bytes). Transparent pixels are composited on white, grey becomes
 *  RGB, 16 bit becomes 8. Throws Error(data) for anything else, and above 16384 pixels a side or 2^28 pixels. */
Image read_image(const std::filesystem::path& path);

/** The same from bytes; `name` appears in errors. */
Image decode_image(std::span<const uint8_t> bytes, const std::string& name);

/** PNG bytes of the image. */
std::vector<uint8_t> encode_png(const Image& image);

/** Writes a PNG file atomically. Throws Error(io). */
void write_png(const std::filesystem::path& path, const Image& image);

/** Images of equal size side by side, `columns` a row, `gap` white pixels between, each pixel enlarged `scale` times.
 */
Image image_grid(const std::vector<Image>& images, int columns, int gap, int scale);

}  // namespace diptych
