#include "diptych/report/run_data/evaluation_grid.h"

#include <algorithm>

namespace diptych {

namespace {

/** Length of a cell, framed and enlarged; 0 where the grid's length has another form. */
int cell_length(int grid_length, int cells) {
  const int inside = grid_length - (cells - 1) * kGridGap;
  const bool fits = inside % (cells * kGridScale) == 0 && inside / cells >= 3 * kGridScale;
  return fits ? inside / cells : 0;
}

Image cell_picture(const Image& grid, int left, int top, int width, int height) {
  Image picture{height / kGridScale - 2, width / kGridScale - 2, {}};
  for (int row = 1; row <= picture.height; ++row) {
    for (int column = 1; column <= picture.width; ++column) {
      const size_t pixel = static_cast<size_t>(top + row * kGridScale) * static_cast<size_t>(grid.width) +
                           static_cast<size_t>(left + column * kGridScale);
      picture.pixels.insert(picture.pixels.end(), &grid.pixels[3 * pixel], &grid.pixels[3 * pixel] + 3);
    }
  }
  return picture;
}

}  // namespace

std::vector<size_t> grid_lines(size_t lines) {
  const size_t pool = lines / 2;
  std::vector<size_t> chosen;
  for (const size_t begin : {size_t{0}, pool})
    for (size_t i = 0; i < std::min(kGridHalf, pool); ++i) chosen.push_back(begin + i);
  return chosen;
}

std::vector<Image> grid_cells(const Image& grid, size_t count) {
  if (count == 0) return {};
  const int columns = std::min(kGridColumns, static_cast<int>(count));
  const int rows = (static_cast<int>(count) + columns - 1) / columns;
  const int width = cell_length(grid.width, columns), height = cell_length(grid.height, rows);
  if (width == 0 || height == 0) return {};
  std::vector<Image> cells;
  for (int i = 0; i < static_cast<int>(count); ++i)
    cells.push_back(
        cell_picture(grid, i % columns * (width + kGridGap), i / columns * (height + kGridGap), width, height));
  return cells;
}

}  // namespace diptych
