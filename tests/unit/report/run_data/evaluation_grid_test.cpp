#include "diptych/report/run_data/evaluation_grid.h"

#include <gtest/gtest.h>

#include "diptych/io/image/image.h"
#include "unit/report/run_folder_writer.h"

namespace diptych {
namespace {

std::vector<Image> pictures(size_t count) {
  std::vector<Image> pictures;
  for (size_t i = 0; i < count; ++i) {
    Image picture = plain_image(5, 0);
    for (size_t k = 0; k < picture.pixels.size(); ++k) picture.pixels[k] = static_cast<uint8_t>(7 * i + 3 * k);
    pictures.push_back(picture);
  }
  return pictures;
}

Image grid_of(const std::vector<Image>& pictures) {
  std::vector<Image> framed;
  for (const Image& picture : pictures) framed.push_back(framed_image(picture, 255));
  return image_grid(framed, kGridColumns, kGridGap, kGridScale);
}

TEST(EvaluationGridTest, CellsAreTheVeryPictures) {
  for (const size_t count : {size_t{1}, size_t{6}, size_t{12}, size_t{13}, size_t{48}}) {
    const std::vector<Image> all = pictures(count);
    const std::vector<Image> cells = grid_cells(grid_of(all), count);
    ASSERT_EQ(cells.size(), count);
    for (size_t i = 0; i < count; ++i) {
      EXPECT_EQ(cells[i].width, 5);
      EXPECT_EQ(cells[i].height, 5);
      EXPECT_EQ(cells[i].pixels, all[i].pixels) << i;
    }
  }
}

TEST(EvaluationGridTest, AnotherFormGivesNoCells) {
  EXPECT_TRUE(grid_cells(plain_image(100, 0), 12).empty());
  EXPECT_TRUE(grid_cells(plain_image(1, 0), 1).empty());
  EXPECT_TRUE(grid_cells(plain_image(100, 0), 0).empty());
}

TEST(EvaluationGridTest, LinesAreTheBeginningOfBothPools) {
  EXPECT_EQ(grid_lines(6), (std::vector<size_t>{0, 1, 2, 3, 4, 5}));
  const std::vector<size_t> many = grid_lines(1024);
  ASSERT_EQ(many.size(), 48u);
  EXPECT_EQ(many[23], 23u);
  EXPECT_EQ(many[24], 512u);
  EXPECT_TRUE(grid_lines(0).empty());
}

}  // namespace
}  // namespace diptych
