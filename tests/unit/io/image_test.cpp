#include "diptych/io/image.h"

#include <gtest/gtest.h>
#include <png.h>
#include <zlib.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <jpeglib.h>

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

std::vector<uint8_t> encode_jpeg(const Image& image, int components, J_COLOR_SPACE space) {
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
  jpeg_start_compress(&state, TRUE);
  std::vector<uint8_t> row(size_t(image.width * components), 90);
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

TEST(Image, CmykJpegIsRefused) {
  const auto bytes = encode_jpeg(Image{8, 8, {}}, 4, JCS_CMYK);
  expect_error([&] { decode_image(bytes, "print.jpg"); }, ExitCode::data, {"print.jpg", "CMYK"});
}

TEST(Image, OtherFormatsAreRefused) {
  const std::string gif = "GIF89a....";
  expect_error(
      [&] {
        decode_image({reinterpret_cast<const uint8_t*>(gif.data()), gif.size()}, "a.gif");
      },
      ExitCode::data, {"a.gif", "PNG or JPEG"});
  expect_error([] { decode_image({}, "empty"); }, ExitCode::data, {"empty", "no bytes"});
  expect_error([] { read_image("no/such.png"); }, ExitCode::io, {"no/such.png"});
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
