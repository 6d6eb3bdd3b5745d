#include "diptych/io/image/image.h"

#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>

#include <jpeglib.h>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/safetensors.h"
#include "support/expect_error.h"
#include "support/fixtures.h"
#include "support/temporary_folder.h"

namespace diptych {
namespace {

Image test_image(int height, int width) {
  Image image{height, width, {}};
  for (int i = 0; i < height * width * 3; ++i) image.pixels.push_back(uint8_t(i * 29 + i / 7));
  return image;
}

/** PNG bytes of raw pixels in one of libpng's simplified formats. */
std::vector<uint8_t> encode_as(uint32_t format, int height, int width, const void* pixels,
                               const void* colormap = nullptr, uint32_t colors = 0) {
  png_image header{};
  header.version = PNG_IMAGE_VERSION;
  header.width = png_uint_32(width);
  header.height = png_uint_32(height);
  header.format = format;
  header.colormap_entries = colors;
  png_alloc_size_t size = 1 << 20;
  std::vector<uint8_t> bytes(size);
  EXPECT_TRUE(png_image_write_to_memory(&header, bytes.data(), &size, 0, pixels, 0, colormap)) << header.message;
  bytes.resize(size);
  return bytes;
}

/** JPEG bytes of an RGB image, or of one colour in another space; `adjust` may change libjpeg's settings. */
std::vector<uint8_t> encode_jpeg(const Image& image, int components, J_COLOR_SPACE space,
                                 const std::vector<uint8_t>& colour = {90},
                                 const std::function<void(jpeg_compress_struct&)>& adjust = {}) {
  jpeg_compress_struct state;
  jpeg_error_mgr errors;
  state.err = jpeg_std_error(&errors);
  jpeg_create_compress(&state);
  unsigned char* buffer = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&state, &buffer, &size);
  state.image_width = JDIMENSION(image.width);
  state.image_height = JDIMENSION(image.height);
  state.input_components = components;
  state.in_color_space = space;
  jpeg_set_defaults(&state);
  jpeg_set_quality(&state, 100, TRUE);
  if (adjust) adjust(state);
  jpeg_start_compress(&state, TRUE);
  std::vector<uint8_t> row(size_t(image.width * components));
  for (size_t i = 0; i < row.size(); ++i) row[i] = colour[i % colour.size()];
  while (state.next_scanline < state.image_height) {
    if (components == 3) std::memcpy(row.data(), &image.pixels[state.next_scanline * row.size()], row.size());
    JSAMPROW pointer = row.data();
    jpeg_write_scanlines(&state, &pointer, 1);
  }
  jpeg_finish_compress(&state);
  std::vector<uint8_t> bytes(buffer, buffer + size);
  jpeg_destroy_compress(&state);
  std::free(buffer);
  return bytes;
}

TEST(Image, PngRoundTrip) {
  const TemporaryFolder folder;
  for (const auto& [height, width] : {std::pair{1, 1}, {3, 5}, {64, 33}}) {
    const Image image = test_image(height, width);
    write_png(folder.path() / "a.png", image);
    const Image again = read_image(folder.path() / "a.png");
    EXPECT_EQ(again.height, height);
    EXPECT_EQ(again.width, width);
    EXPECT_EQ(again.pixels, image.pixels);
  }
}

TEST(Image, TransparencyAndGreyEqualTheOfficialConversion) {
  const SafetensorsFile file = SafetensorsFile::open(fixture_folder() / "bagel_tiny" / "12_resize_pixels.safetensors");
  for (const auto& [name, format] : {std::pair{"rgba", PNG_FORMAT_RGBA}, {"gray", PNG_FORMAT_GRAY}}) {
    const StoredTensor& input = file.tensors().at(std::string(name) + ".in");
    const StoredTensor& expected = file.tensors().at(std::string(name) + ".out");
    const Image image =
        decode_image(encode_as(uint32_t(format), int(input.shape[0]), int(input.shape[1]), input.bytes.data()), name);
    ASSERT_EQ(image.pixels.size(), expected.bytes.size());
    EXPECT_EQ(std::memcmp(image.pixels.data(), expected.bytes.data(), expected.bytes.size()), 0) << name;
  }
}

TEST(Image, PaletteWithTransparencyIsExpanded) {
  const uint8_t colormap[] = {10, 20, 30, 255, 200, 100, 0, 0};  // opaque, then fully transparent
  const uint8_t pixels[] = {0, 1};
  const Image image = decode_image(encode_as(PNG_FORMAT_RGBA_COLORMAP, 1, 2, pixels, colormap, 2), "palette");
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{10, 20, 30, 255, 255, 255}));
}

TEST(Image, GreyWithTransparencyIsCompositedOnWhite) {
  const uint8_t pixels[] = {100, 255, 100, 0, 0, 51};  // opaque, transparent, a fifth of black
  const Image image = decode_image(encode_as(PNG_FORMAT_GA, 1, 3, pixels), "grey and alpha");
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{100, 100, 100, 255, 255, 255, 204, 204, 204}));
}

TEST(Image, SixteenBitsBecomeEight) {
  const uint16_t pixels[] = {0, 65535, 0, 65535, 0, 65535};
  const Image image = decode_image(encode_as(PNG_FORMAT_LINEAR_RGB, 1, 2, pixels), "16 bit");
  EXPECT_EQ(image.pixels, (std::vector<uint8_t>{0, 255, 0, 255, 0, 255}));
}

TEST(Image, JpegIsCloseToItsSource) {
  Image image{16, 24, {}};
  for (int y = 0; y < image.height; ++y) {
    for (int x = 0; x < image.width; ++x) image.pixels.insert(image.pixels.end(), {uint8_t(x * 8), uint8_t(y * 8), 90});
  }
  const Image again = decode_image(encode_jpeg(image, 3, JCS_RGB), "a.jpg");
  ASSERT_EQ(again.pixels.size(), image.pixels.size());
  for (size_t i = 0; i < image.pixels.size(); ++i) EXPECT_NEAR(again.pixels[i], image.pixels[i], 8) << i;
}

TEST(Image, GreyJpegBecomesRgb) {
  const Image again = decode_image(encode_jpeg(Image{8, 8, {}}, 1, JCS_GRAYSCALE), "grey.jpg");
  EXPECT_EQ(again.pixels, std::vector<uint8_t>(8 * 8 * 3, 90));
}

/** Colours of a smooth image survive within a few levels. */
void expect_close(const Image& image, const Image& expected, const std::string& what) {
  ASSERT_EQ(image.width, expected.width) << what;
  ASSERT_EQ(image.pixels.size(), expected.pixels.size()) << what;
  for (size_t i = 0; i < image.pixels.size(); ++i) EXPECT_NEAR(image.pixels[i], expected.pixels[i], 12) << what << i;
}

TEST(Image, JpegInEveryCodingIsRead) {
  for (const auto& [width, height] : {std::pair{1, 1}, {1, 40}, {40, 1}, {17, 9}, {33, 16}}) {
    Image image{height, width, {}};
    for (int i = 0; i < width * height; ++i)
      image.pixels.insert(image.pixels.end(), {uint8_t(i % width * 3), uint8_t(i / width * 3), 90});
    const std::string size = cat(width, " x ", height, ", ");
    const auto decoded = [&](const std::function<void(jpeg_compress_struct&)>& adjust) {
      return decode_image(encode_jpeg(image, 3, JCS_RGB, {90}, adjust), "a.jpg");
    };
    expect_close(decoded({}), image, size + "4:2:0");
    expect_close(decoded([](auto& state) { jpeg_simple_progression(&state); }), image, size + "progressive");
    expect_close(decoded([](auto& state) { state.arith_code = TRUE; }), image, size + "arithmetic");
    expect_close(decoded([](auto& state) { jpeg_set_colorspace(&state, JCS_RGB); }), image, size + "RGB");
    expect_close(decoded([](auto& state) { state.restart_interval = 1; }), image, size + "restarts");
  }
}

// Adobe's programs store 255 minus the ink.
TEST(Image, CmykJpegBecomesRgb) {
  const Image size{8, 8, {}};
  const std::vector<uint8_t> ink = {255, 128, 0, 51};
  std::vector<uint8_t> inverted;
  for (const uint8_t value : ink) inverted.push_back(uint8_t(255 - value));
  const std::vector<uint8_t> rgb = {0, 102, 204};  // (255 - C) (255 - K) / 255; 101.6 is rounded
  const auto adobe = [](auto& state) { EXPECT_TRUE(state.write_Adobe_marker); };
  const auto no_marker = [](auto& state) { state.write_Adobe_marker = FALSE; };
  const auto ycck = [](auto& state) { jpeg_set_colorspace(&state, JCS_YCCK); };
  const auto progressive = [](auto& state) { jpeg_simple_progression(&state); };
  const auto check = [&](const std::vector<uint8_t>& bytes, const std::string& what) {
    DecodingNotes notes;
    const Image image = decode_image(bytes, what, 64, &notes);
    ASSERT_EQ(image.pixels.size(), 8u * 8 * 3) << what;
    for (size_t i = 0; i < image.pixels.size(); ++i) EXPECT_NEAR(image.pixels[i], rgb[i % 3], 2) << what;
    EXPECT_TRUE(notes.cmyk);
    EXPECT_FALSE(notes.turned);
  };
  check(encode_jpeg(size, 4, JCS_CMYK, inverted, adobe), "CMYK");
  check(encode_jpeg(size, 4, JCS_CMYK, inverted, progressive), "progressive CMYK");
  check(encode_jpeg(size, 4, JCS_CMYK, inverted, ycck), "YCCK");
  check(encode_jpeg(size, 4, JCS_CMYK, ink, no_marker), "CMYK without the marker");
}

TEST(Image, OtherFormatsAreRefusedByName) {
  const auto refuse = [](const std::string& bytes, const std::string& format) {
    expect_error(
        [&] {
          decode_image({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, "a.png");
        },
        ExitCode::data, {"a.png: expected a PNG or JPEG image, got " + format, "convert it to PNG or JPEG"});
  };
  refuse("GIF89a....", "a GIF image");
  refuse("GIF87a", "a GIF image");
  refuse(std::string("RIFF\x1a\0\0\0WEBPVP8L", 16), "a WebP image");
  refuse(std::string("\0\0\0\x20"
                     "ftypavif....",
                     16),
         "an AVIF image");
  refuse(std::string("\0\0\0\x18"
                     "ftypheic....",
                     16),
         "a HEIC image");
  refuse(std::string("\0\0\0\x18"
                     "ftypmif1....",
                     16),
         "a HEIC or AVIF image");
  refuse(std::string("\0\0\0\x18"
                     "ftypmp42....",
                     16),
         "a film");
  refuse(std::string("BM\x46\0\0\0", 6), "a BMP image");
  refuse(std::string("II*\0\x08", 5), "a TIFF image");
  refuse(std::string("MM\0*\0", 5), "a TIFF image");
  refuse(std::string("\0\0\0\x0cJXL \r\n", 10), "a JPEG XL image");
  refuse(std::string("\0\0\0\x0cjP  \r\n", 10), "a JPEG 2000 image");
  refuse("<svg xmlns=\"http://www.w3.org/2000/svg\"/>", "an SVG image");
  refuse("\n<!DOCTYPE HTML><title>Sign in</title>", "a web page");
  refuse("version https://git-lfs.github.com/spec/v1\n", "a pointer of Git LFS");
  refuse("RIFF....WAVE", "another format");
  refuse("\x89PN", "another format");
  refuse("", "no bytes");
  expect_error([] { read_image("no/such.png"); }, ExitCode::io, {"no/such.png"});
}

TEST(Image, TheEndingOfANameDoesNotMatter) {
  const TemporaryFolder folder;
  const std::vector<uint8_t> jpeg = diptych::encode_jpeg(test_image(3, 5), 90);
  write_file_atomic(folder.path() / "a.png", {reinterpret_cast<const char*>(jpeg.data()), jpeg.size()});
  EXPECT_EQ(read_image(folder.path() / "a.png").pixels, decode_image(jpeg, "a.jpg").pixels);
}

TEST(Image, TwelveBitsAreRefusedByName) {
  auto jpeg = encode_jpeg(Image{8, 8, {}}, 1, JCS_GRAYSCALE);
  const uint8_t frame[] = {0xff, 0xc0};
  const auto found = std::search(jpeg.begin(), jpeg.end(), frame, frame + 2);
  ASSERT_NE(found, jpeg.end());
  found[4] = 12;
  expect_error([&] { decode_image(jpeg, "x-ray.jpg"); }, ExitCode::data, {"x-ray.jpg", "8 bits", "12 bits a channel"});
}

TEST(Image, EveryTruncationIsNoticed) {
  const Image image = test_image(9, 11);
  const auto png = encode_png(image);
  const auto jpeg = encode_jpeg(image, 3, JCS_RGB);
  for (const auto& bytes : {png, jpeg}) {
    for (size_t size = 0; size + 2 < bytes.size(); ++size)
      expect_error([&] { decode_image(std::span(bytes).first(size), "cut"); }, ExitCode::data, {"cut"});
  }
}

// Decoding damaged files gives some image or an Error, never a crash.
TEST(Image, DamagedBytesNeverCrash) {
  const Image image = test_image(9, 11);
  for (const auto& bytes : {encode_png(image), encode_jpeg(image, 3, JCS_RGB)}) {
    int errors = 0;
    for (size_t place = 0; place < bytes.size(); ++place) {
      auto damaged = bytes;
      damaged[place] ^= 0x55;
      try {
        const Image decoded = decode_image(damaged, "damaged");
        EXPECT_EQ(decoded.pixels.size(), size_t(decoded.height) * size_t(decoded.width) * 3);
      } catch (const Error&) {
        ++errors;
      }
    }
    EXPECT_GT(errors, 0);
  }
}

TEST(Image, HugeImagesAreRefusedFromTheirHeader) {
  auto jpeg = encode_jpeg(Image{8, 8, {}}, 1, JCS_GRAYSCALE);
  const uint8_t frame[] = {0xff, 0xc0};
  const auto found = std::search(jpeg.begin(), jpeg.end(), frame, frame + 2);
  ASSERT_NE(found, jpeg.end());
  found[5] = 0x40;  // height 0x4001 = 16385
  found[6] = 0x01;
  expect_error([&] { decode_image(jpeg, "big.jpg"); }, ExitCode::data, {"16384", "16385"});
  const std::vector<uint8_t> row(16385);
  expect_error([&] { decode_image(encode_as(PNG_FORMAT_GRAY, 1, 16385, row.data()), "big.png"); }, ExitCode::data,
               {"16384", "16385"});
}

TEST(Image, ImagesWithoutPixelsAreRefused) {
  const auto whole = encode_jpeg(Image{8, 8, {}}, 1, JCS_GRAYSCALE);
  const uint8_t frame[] = {0xff, 0xc0};
  const auto found = std::search(whole.begin(), whole.end(), frame, frame + 2) - whole.begin();
  for (const int side : {5, 7}) {
    auto jpeg = whole;
    jpeg[size_t(found + side) + 1] = 0;
    expect_error([&] { decode_image(jpeg, "none.jpg"); }, ExitCode::data, {"none.jpg"});
  }
  for (const size_t side : {16, 20}) {
    std::vector<uint8_t> png = encode_as(PNG_FORMAT_GRAY, 1, 1, "x");
    png[side + 3] = 0;
    const auto checksum = static_cast<uint32_t>(::crc32(0, &png[12], 17));
    for (size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<uint8_t>(checksum >> (24 - 8 * i));
    expect_error([&] { decode_image(png, "none.png"); }, ExitCode::data, {"none.png"});
  }
}

// Whoever announces many pixels in few bytes must not make us ask for their memory.
TEST(Image, FewBytesForManyPixelsAreRefused) {
  auto jpeg = encode_jpeg(Image{8, 8, {}}, 1, JCS_GRAYSCALE);
  const uint8_t frame[] = {0xff, 0xc0};
  const auto found = std::search(jpeg.begin(), jpeg.end(), frame, frame + 2);
  ASSERT_NE(found, jpeg.end());
  for (const int side : {5, 7}) {  // height and width 0x4000 = 16384
    found[side] = 0x40;
    found[side + 1] = 0x00;
  }
  expect_error([&] { decode_image(jpeg, "big.jpg"); }, ExitCode::data, {"big.jpg", "only", "268435456 pixels"});

  std::vector<uint8_t> png = encode_as(PNG_FORMAT_GRAY, 1, 1, "x");
  const size_t sizes = 16;  // of width and height, behind the signature and the name of the chunk
  for (const size_t side : {sizes, sizes + 4}) {
    png[side + 2] = 0x40;
    png[side + 3] = 0x00;
  }
  const auto checksum = static_cast<uint32_t>(::crc32(0, &png[sizes - 4], 17));
  for (size_t i = 0; i < 4; ++i) png[sizes + 13 + i] = static_cast<uint8_t>(checksum >> (24 - 8 * i));
  expect_error([&] { decode_image(png, "big.png"); }, ExitCode::data, {"big.png", "only", "16384 x 16384 pixels"});
}

// Long runs of one colour, as far as each format can shorten them.
TEST(Image, ManyPixelsInFewBytesAreReadWhereTheyAreThere) {
  const std::vector<uint8_t> black(2000 * 1500);
  const auto png = encode_as(PNG_FORMAT_GRAY, 1500, 2000, black.data());
  EXPECT_LT(png.size(), 4000u);
  EXPECT_EQ(decode_image(png, "black.png").pixels, std::vector<uint8_t>(black.size() * 3));
  const auto jpeg = encode_jpeg(Image{1500, 2000, {}}, 1, JCS_GRAYSCALE);
  EXPECT_EQ(decode_image(jpeg, "grey.jpg").pixels.size(), black.size() * 3);
}

TEST(Image, GridPlacesEnlargedCells) {
  const Image red{1, 1, {255, 0, 0}};
  const Image blue{1, 1, {0, 0, 255}};
  const Image grid = image_grid({red, blue, red}, 2, 1, 2);
  EXPECT_EQ(grid.width, 5);
  EXPECT_EQ(grid.height, 5);
  const auto pixel = [&](int y, int x) {
    const uint8_t* bytes = &grid.pixels[size_t(y * grid.width + x) * 3];
    return std::vector<uint8_t>(bytes, bytes + 3);
  };
  const std::vector<uint8_t> white = {255, 255, 255};
  EXPECT_EQ(pixel(1, 1), red.pixels);
  EXPECT_EQ(pixel(1, 2), white);
  EXPECT_EQ(pixel(0, 3), blue.pixels);
  EXPECT_EQ(pixel(2, 4), white);
  EXPECT_EQ(pixel(4, 0), red.pixels);
  EXPECT_EQ(pixel(4, 4), white);
  EXPECT_EQ(image_grid({red}, 8, 3, 1).width, 1);
}

}  // namespace
}  // namespace diptych
