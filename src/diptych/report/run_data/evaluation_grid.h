#pragma once
// The grid of pictures that an evaluation leaves in a run folder (train/evaluate/evaluation_record.h), and its cells.

#include <cstdint>
#include <vector>

#include "diptych/io/image/image.h"

namespace diptych {

// How the grid is drawn: rows of framed pictures, enlarged.
inline constexpr int kGridColumns = 12;
inline constexpr int kGridGap = 2;       // pixels between cells
inline constexpr int kGridScale = 3;     // pixels of the grid per pixel of a picture, and of its frame
inline constexpr size_t kGridHalf = 24;  // samples of each of the two pools

/** The lines of step_NNNNNN.jsonl that the cells show, for a file of `lines` lines: the beginning of each half. */
std::vector<size_t> grid_lines(size_t lines);

/** The first `count` pictures of the grid, in their own size and without frames; none if the grid has another form. */
std::vector<Image> grid_cells(const Image& grid, size_t count);

}  // namespace diptych
