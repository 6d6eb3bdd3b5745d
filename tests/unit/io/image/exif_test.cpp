#include "diptych/io/image/exif.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <string>

#include "diptych/base/text_format.h"

namespace diptych {
namespace {

using Bytes = std::vector<uint8_t>;

/** EXIF data with one entry. */
Bytes exif(bool big_endian, uint32_t value, uint32_t tag = 0x112, uint32_t type = 3, uint32_t count = 1) {
  Bytes bytes;
  const auto add = [&](uint32_t number, size_t size) {
    for (size_t i = 0; i < size; ++i) bytes.push_back(uint8_t(number >> 8 * (big_endian ? size - 1 - i : i)));
  };
  bytes.assign(2, big_endian ? 'M' : 'I');
  add(42, 2);
  add(8, 4);
  add(1, 2);
  add(tag, 2);
  add(type, 2);
  add(count, 4);
  const size_t size = type == 1 ? 1 : type == 3 ? 2 : 4;
  add(value, size);
  add(0, 4 - size);
  add(0, 4);
  return bytes;
}

Bytes operator+(const std::string& start, const Bytes& rest) {
  Bytes bytes(start.begin(), start.end());
  bytes.insert(bytes.end(), rest.begin(), rest.end());
  return bytes;
}

const std::string kMark("Exif\0\0", 6);

/** A picture whose pixels are the letters of its rows. */
Image letters(const std::vector<std::string>& rows) {
  Image image{int(rows.size()), int(rows.front().size()), {}};
  for (const std::string& row : rows)
    for (const char letter : row) image.pixels.insert(image.pixels.end(), 3, uint8_t(letter));
  return image;
}

void expect_same(const Image& image, const Image& expected, const std::string& what) {
  EXPECT_EQ(image.width, expected.width) << what;
  EXPECT_EQ(image.height, expected.height) << what;
  EXPECT_EQ(image.pixels, expected.pixels) << what;
}

TEST(Exif, AllOrientationsInBothByteOrders) {
  for (const bool big_endian : {false, true}) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
      for (const uint32_t type : {1u, 3u, 4u})
        EXPECT_EQ(exif_orientation(exif(big_endian, uint32_t(orientation), 0x112, type)), orientation) << type;
      EXPECT_EQ(exif_orientation(kMark + exif(big_endian, uint32_t(orientation))), orientation);
    }
  }
}

TEST(Exif, OtherDataMeanUpright) {
  for (const uint32_t value : {0u, 9u, 255u, 65535u}) EXPECT_EQ(exif_orientation(exif(true, value)), 1) << value;
  EXPECT_EQ(exif_orientation(exif(true, 6, 0x110)), 1) << "another tag";
  EXPECT_EQ(exif_orientation(exif(true, 6, 0x112, 2)), 1) << "a text";
  EXPECT_EQ(exif_orientation(exif(true, 6, 0x112, 3, 2)), 1) << "two values";
  EXPECT_EQ(exif_orientation({}), 1);
  EXPECT_EQ(exif_orientation(kMark + Bytes{}), 1);
}

TEST(Exif, DamagedDataNeverCrash) {
  for (const bool big_endian : {false, true}) {
    const Bytes whole = exif(big_endian, 6);
    for (size_t size = 0; size < 22; ++size) EXPECT_EQ(exif_orientation(std::span(whole).first(size)), 1) << size;
    for (size_t place = 0; place < whole.size(); ++place) {
      for (const int change : {0x01, 0x80, 0xff}) {
        Bytes damaged = whole;
        damaged[place] ^= uint8_t(change);
        const int orientation = exif_orientation(damaged);
        EXPECT_TRUE(orientation >= 1 && orientation <= 8);
      }
    }
  }
}

// By the two sides at which the standard says that the first row and the first column are seen.
TEST(Exif, PicturesAreTurnedUpright) {
  const Image upright = letters({"abc", "def"});
  const std::vector<std::vector<std::string>> stored = {{"abc", "def"},     {"cba", "fed"},     {"fed", "cba"},
                                                        {"def", "abc"},     {"ad", "be", "cf"}, {"cf", "be", "ad"},
                                                        {"fc", "eb", "da"}, {"da", "eb", "fc"}};
  for (int orientation = 1; orientation <= 8; ++orientation)
    expect_same(turned_upright(letters(stored[size_t(orientation - 1)]), orientation), upright, cat(orientation));
  for (const int orientation : {0, 9, -1}) expect_same(turned_upright(upright, orientation), upright, cat(orientation));
}

class ExifInFiles : public ::testing::Test {
 protected:
  /** A PNG file with one more chunk, in front of the pixels or behind them. */
  Bytes png(const std::string& name, const Bytes& content, bool behind = false) const {
    Bytes chunk;
    const auto add = [&](uint64_t number) {
      for (int shift = 24; shift >= 0; shift -= 8) chunk.push_back(uint8_t(number >> shift));
    };
    add(content.size());
    const Bytes named = name + content;
    chunk.insert(chunk.end(), named.begin(), named.end());
    add(::crc32(0, named.data(), uInt(named.size())));
    Bytes bytes = encode_png(plain_);
    bytes.insert(behind ? bytes.end() - 12 : bytes.begin() + 33, chunk.begin(), chunk.end());
    return bytes;
  }

  /** A JPEG file with one more marker APP1 for each content. */
  Bytes jpeg(const std::vector<Bytes>& contents) const {
    Bytes bytes = encode_jpeg(plain_, 90);
    size_t place = 2;
    for (const Bytes& content : contents) {
      Bytes marker = {0xff, 0xe1, uint8_t((content.size() + 2) >> 8), uint8_t(content.size() + 2)};
      marker.insert(marker.end(), content.begin(), content.end());
      bytes.insert(bytes.begin() + long(place), marker.begin(), marker.end());
      place += marker.size();
    }
    return bytes;
  }

  /** As ImageMagick writes it: lines of 72 digits. */
  static std::string raw_profile(const Bytes& content) {
    std::string text = cat("\nexif\n      ", content.size());
    for (size_t i = 0; i < content.size(); ++i) {
      char digits[3];
      std::snprintf(digits, sizeof digits, "%02x", content[i]);
      text += (i % 36 == 0 ? "\n" : "") + std::string(digits);
    }
    return text + "\n";
  }

  void expect_turned(const Bytes& file, int orientation, const std::string& what) const {
    DecodingNotes notes;
    const Image image = decode_image(file, what, 1000, &notes);
    expect_same(image, turned_upright(decode_image(without_exif(file), what), orientation), what);
    EXPECT_EQ(notes.turned, orientation != 1) << what;
  }

  Bytes without_exif(const Bytes& file) const {
    return file.front() == 0xff ? encode_jpeg(plain_, 90) : encode_png(plain_);
  }

  Image plain_ = letters({"AZ\x05", "\x80\xc0\xff"});
};

TEST_F(ExifInFiles, JpegIsTurned) {
  for (int orientation = 1; orientation <= 8; ++orientation)
    expect_turned(jpeg({kMark + exif(orientation % 2 == 0, uint32_t(orientation))}), orientation, cat(orientation));
  const Bytes other = std::string("http://ns.adobe.com/xap/1.0/") + Bytes{0, '<', 'x'};
  expect_turned(jpeg({other, kMark + exif(true, 8)}), 8, "behind another marker");
  expect_turned(jpeg({kMark + exif(true, 3), kMark + exif(true, 8)}), 3, "the first counts");
  expect_turned(jpeg({std::string("Exif\0\xff", 6) + exif(true, 5)}), 5, "a careless writer");
  expect_turned(jpeg({kMark + Bytes{'M', 'M', 0}}), 1, "cut off");
  expect_turned(jpeg({Bytes(0xfffd, 0xee)}), 1, "as long as a marker can be");
}

TEST_F(ExifInFiles, PngIsTurned) {
  for (int orientation = 1; orientation <= 8; ++orientation) {
    const Bytes content = exif(orientation % 2 == 0, uint32_t(orientation));
    expect_turned(png("eXIf", content), orientation, cat(orientation));
    expect_turned(png("eXIf", content, /*behind=*/true), orientation, cat(orientation, " behind the pixels"));
  }
  expect_turned(png("eXIf", kMark + exif(false, 6)), 6, "with the mark of JPEG");
  expect_turned(png("eXIf", {}), 1, "empty");
}

TEST_F(ExifInFiles, PngIsTurnedByARawProfile) {
  const std::string text = raw_profile(kMark + exif(true, 6));
  Bytes packed(1000);
  uLongf size = packed.size();
  ASSERT_EQ(::compress(packed.data(), &size, reinterpret_cast<const Bytef*>(text.data()), text.size()), Z_OK);
  packed.resize(size);
  for (const char* type : {"exif", "APP1"}) {
    const std::string keyword = cat("Raw profile type ", type, '\0');
    expect_turned(png("tEXt", keyword + Bytes(text.begin(), text.end())), 6, type);
    expect_turned(png("zTXt", (keyword + '\0') + packed), 6, type);
  }
  const std::string keyword("Raw profile type exif\0", 22);
  expect_turned(png("tEXt", keyword + Bytes{}), 1, "no text");
  expect_turned(png("tEXt", keyword + Bytes{'\n', '\n'}), 1, "too few lines");
  expect_turned(png("zTXt", keyword + Bytes{0, 1, 2, 3}), 1, "not packed");
  expect_turned(png("zTXt", keyword + Bytes{}), 1, "no method");
}

// A comment that unpacks to a gigabyte, a damaged profile, a gamma of 0: none of them touches the pixels.
TEST_F(ExifInFiles, OtherChunksOfPngAreNotRead) {
  const std::string zeros(size_t{1} << 23, '\0');
  Bytes packed(::compressBound(zeros.size()));
  uLongf size = packed.size();
  ASSERT_EQ(::compress(packed.data(), &size, reinterpret_cast<const Bytef*>(zeros.data()), zeros.size()), Z_OK);
  packed.resize(size);
  expect_turned(png("zTXt", std::string("Comment\0\0", 9) + packed), 1, "zTXt");
  expect_turned(png("zTXt", std::string("Raw profile type exif\0\0", 23) + packed), 1, "a profile of zeros");
  expect_turned(png("gAMA", {0, 0, 0, 0}), 1, "gAMA");
  expect_turned(png("iCCP", {'x', 0, 0, 1, 2}), 1, "iCCP");
}

}  // namespace
}  // namespace diptych
