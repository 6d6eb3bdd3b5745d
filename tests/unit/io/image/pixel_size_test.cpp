#include "diptych/io/image/pixel_size.h"

#include <gtest/gtest.h>

namespace diptych {
namespace {

TEST(PixelSize, WidthComesFirst) {
  const auto size = parse_pixel_size("1024x768");
  ASSERT_TRUE(size);
  EXPECT_EQ(size->width, 1024);
  EXPECT_EQ(size->height, 768);
}

TEST(PixelSize, OtherTextsAreNone) {
  for (const char* text : {"", "x", "64", "64x", "x64", "64x32x16", "64*32", "64 x 32", "64x32 ", "64X32", "6.4x32",
                           "+64x32", "99999999999999999999x16", "auto"})
    EXPECT_FALSE(parse_pixel_size(text)) << text;
}

}  // namespace
}  // namespace diptych
