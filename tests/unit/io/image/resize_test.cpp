#include "diptych/io/image/resize.h"

#include <gtest/gtest.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/safetensors.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

using nlohmann::json;

Image to_image(const StoredTensor& tensor) {
  EXPECT_EQ(tensor.dtype, "U8");
  Image image{int(tensor.shape.at(0)), int(tensor.shape.at(1)), std::vector<uint8_t>(tensor.bytes.size())};
  std::memcpy(image.pixels.data(), tensor.bytes.data(), tensor.bytes.size());
  return image;
}

TEST(Resize, SizesEqualTheOfficialOnes) {
  const json fixture = json::parse(read_file(fixture_folder() / "bagel_tiny" / "11_resize_rules.json"));
  const auto rule_of = [&](const std::string& name) {
    const json& setting = fixture.at("settings").at(name);
    return ResizeRule{setting.at(0), setting.at(1), setting.at(2), setting.at(3)};
  };
  const auto expected = [](const json& row, const std::string& name) {
    return std::pair<int, int>(row.at(name).at(0), row.at(name).at(1));
  };
  ASSERT_FALSE(fixture.at("rows").empty());
  for (const json& row : fixture.at("rows")) {
    const int width = row.at("w");
    const int height = row.at("h");
    for (const auto& [name, setting] : fixture.at("settings").items())
      EXPECT_EQ(resized_size(width, height, rule_of(name)), expected(row, name)) << row << " " << name;
    EXPECT_EQ(resized_size(width, height, rule_of("app_vit"), 4), expected(row, "app_vit_img_num4")) << row;
    const auto [vae_width, vae_height] = resized_size(width, height, rule_of("app_vae"));
    EXPECT_EQ(resized_size(vae_width, vae_height, rule_of("app_vit")), expected(row, "edit_app_vit_after_vae")) << row;
  }
}

TEST(Resize, PixelsEqualPillow) {
  const SafetensorsFile file = SafetensorsFile::open(fixture_folder() / "bagel_tiny" / "12_resize_pixels.safetensors");
  int cases = 0;
  for (; file.tensors().contains(cat("case", cases, ".in.uint8")); ++cases) {
    const std::string name = cat("case", cases);
    const Image input = to_image(file.tensors().at(name + ".in.uint8"));
    const Image expected = to_image(file.tensors().at(name + ".out.uint8"));
    int64_t settings[3];
    ASSERT_EQ(file.tensors().at(name + ".in.settings").bytes.size(), sizeof settings);
    std::memcpy(settings, file.tensors().at(name + ".in.settings").bytes.data(), sizeof settings);
    const ResizeRule rule{settings[0], settings[1], settings[2]};
    const auto [width, height] = resized_size(input.width, input.height, rule);
    EXPECT_EQ(std::pair(width, height), std::pair(expected.width, expected.height)) << name;
    const Image actual = resize_bicubic(input, expected.width, expected.height);
    EXPECT_EQ(actual.pixels, expected.pixels) << name;
  }
  EXPECT_GT(cases, 0);
}

TEST(Resize, SameSizeIsACopyAndConstantsStay) {
  Image image{5, 4, std::vector<uint8_t>(5 * 4 * 3)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = uint8_t(i * 37);
  EXPECT_EQ(resize_bicubic(image, 4, 5).pixels, image.pixels);
  for (const int level : {0, 1, 127, 254, 255}) {
    const Image constant{7, 9, std::vector<uint8_t>(7 * 9 * 3, uint8_t(level))};
    for (const auto& [width, height] : {std::pair{1, 1}, {3, 20}, {40, 2}, {9, 8}}) {
      const Image resized = resize_bicubic(constant, width, height);
      EXPECT_EQ(resized.pixels, std::vector<uint8_t>(size_t(width * height * 3), uint8_t(level)));
    }
  }
}

}  // namespace
}  // namespace diptych
