#include "diptych/tensor/torch.h"

#include "diptych/serve/requests/request_images.h"

#include <gtest/gtest.h>

#include "diptych/io/image/resize.h"
#include "diptych/model/bagel/image_input.h"
#include "diptych/serve/api_error.h"

namespace diptych {
namespace {

Image black(int width, int height) {
  return {height, width, std::vector<uint8_t>(static_cast<size_t>(width) * static_cast<size_t>(height) * 3)};
}

ServeSettings bagel_settings() {
  ServeSettings settings;
  settings.image_transform = {.max_long = 1024, .min_short = 512, .stride = 16};
  return settings;
}

TEST(RequestImagesTest, LargeImagesAreKeptAsTheModelSeesThem) {
  const ServeSettings settings = bagel_settings();
  RequestImages images(settings);
  Image photo = black(2000, 1500);
  for (size_t i = 0; i < photo.pixels.size(); ++i) photo.pixels[i] = static_cast<uint8_t>(i * 7919 >> 5);
  const Image seen = resized(photo, settings.image_transform);
  const Image kept = images.take("image", [&](int64_t) { return photo; });
  EXPECT_EQ(kept.width, 1024);
  EXPECT_EQ(kept.pixels, seen.pixels);
  EXPECT_EQ(resized(kept, settings.image_transform).pixels, seen.pixels);
  EXPECT_EQ(images.take("image", [&](int64_t) { return black(20, 10); }).width, 20);
}

TEST(RequestImagesTest, TheRuleLeavesASizeThatItMade) {
  const ResizeRule rules[] = {{1024, 512, 16}, {980, 378, 14}, {32, 16, 8}, {64, 64, 8}};
  for (const ResizeRule& rule : rules) {
    for (int width = 1; width <= 16384; width = width * 5 / 4 + 1) {
      for (int height = 1; height <= 16384; height = height * 6 / 5 + 1) {
        const auto [w, h] = resized_size(width, height, rule);
        if (int64_t{w} * h >= int64_t{width} * height) continue;
        ASSERT_EQ(resized_size(w, h, rule), std::make_pair(w, h)) << width << " x " << height;
      }
    }
  }
}

TEST(RequestImagesTest, ARequestHasSoManyAndSoManyPixels) {
  ServeSettings settings;
  settings.max_request_images = 3;
  settings.max_image_pixels = 100;
  RequestImages many(settings);
  for (int i = 0; i < 3; ++i) many.take("image", [](int64_t) { return black(1, 1); });
  EXPECT_THROW(many.take("image", [](int64_t) { return black(1, 1); }), ApiError);

  settings.max_request_images = 16;
  RequestImages large(settings);
  std::vector<int64_t> allowed;
  for (int i = 0; i < 5; ++i)
    large.take("image", [&](int64_t most) {
      allowed.push_back(most);
      return black(9, 10);
    });
  EXPECT_EQ(allowed, (std::vector<int64_t>{100, 100, 100, 100, 40}));
  try {
    large.take("image", [](int64_t most) -> Image { throw invalid_request(std::to_string(most), "image"); });
    ADD_FAILURE();
  } catch (const ApiError& error) {
    EXPECT_NE(std::string(error.what()).find("400 pixels together"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace diptych
