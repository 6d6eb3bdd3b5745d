#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>

#include "diptych/io/image/image.h"

namespace diptych {
namespace {

/** Smooth colours, which JPEG keeps well. */
Image gradient(int height, int width) {
  Image image{height, width, {}};
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x)
      for (const int value : {255 * y / height, 255 * x / width, 128})
        image.pixels.push_back(static_cast<uint8_t>(value));
  return image;
}

int largest_difference(const Image& a, const Image& b) {
  int largest = 0;
  for (size_t i = 0; i < a.pixels.size(); ++i) largest = std::max(largest, std::abs(a.pixels[i] - b.pixels[i]));
  return largest;
}

TEST(JpegWrite, RoundTripIsClose) {
  for (const auto& [height, width] : {std::pair{64, 48}, {37, 51}, {1, 1}}) {
    const Image image = gradient(height, width);
    const Image again = decode_image(encode_jpeg(image, 95), "test");
    ASSERT_EQ(again.height, height);
    ASSERT_EQ(again.width, width);
    EXPECT_LE(largest_difference(image, again), 12);
  }
}

TEST(JpegWrite, QualityCostsBytes) {
  const Image image = gradient(64, 64);
  EXPECT_LT(encode_jpeg(image, 30).size(), encode_jpeg(image, 75).size());
  EXPECT_LT(encode_jpeg(image, 75).size(), encode_jpeg(image, 95).size());
  EXPECT_EQ(encode_jpeg(image, 75), encode_jpeg(image, 75));
}

}  // namespace
}  // namespace diptych
