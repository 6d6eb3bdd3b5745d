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

/** What became of a file's pixels before they were an Image, for reports. */
struct DecodingNotes {
  bool turned = false;  // the file has an orientation other than upright
  bool cmyk = false;    // was CMYK or YCCK
};

/** Reads a PNG or JPEG file (told apart by its first bytes) as it is to be seen: turned upright by the orientation of
 *  its EXIF data (damaged data count as none), transparent pixels composited on white, grey as RGB, 16 bit as 8,
 *  CMYK as RGB by R = (255 - C) (255 - K) / 255 and so on. Colour profiles and gamma are ignored; of an animation the
 *  first picture counts. Throws Error(data) for anything else, and above 16384 pixels a side or 2^28 pixels. */
Image read_image(const std::filesystem::path& path, DecodingNotes* notes = nullptr);

/** The same from bytes; `name` appears in errors. Above max_pixels the pixels are not even read. */
Image decode_image(std::span<const uint8_t> bytes, const std::string& name, uint64_t max_pixels = uint64_t{1} << 28,
                   DecodingNotes* notes = nullptr);

/** PNG bytes of the image. */
std::vector<uint8_t> encode_png(const Image& image);

/** JPEG bytes of the image, quality 1 to 100, with libjpeg's default settings, which are also Pillow's: colours are
 *  halved in both directions (4:2:0). */
std::vector<uint8_t> encode_jpeg(const Image& image, int quality);

/** Writes a PNG file atomically. Throws Error(io). */
void write_png(const std::filesystem::path& path, const Image& image);

/** Images of equal size side by side, `columns` a row, `gap` white pixels between, each pixel enlarged `scale` times.
 */
Image image_grid(const std::vector<Image>& images, int columns, int gap, int scale);

}  // namespace diptych
