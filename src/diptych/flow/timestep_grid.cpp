#include "diptych/flow/timestep_grid.h"

#include <cmath>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

std::vector<double> timestep_grid(int64_t points, double shift) {
  if (points < 2 || !(shift > 0) || !std::isfinite(shift)) {
    throw Error(ExitCode::config, {.where = "timestep grid",
                                   .expected = "at least 2 points and a positive shift",
                                   .got = cat(points, " points, shift ", shift),
                                   .hint = "N updates need N + 1 points"});
  }
  std::vector<double> grid(points);
  for (int64_t i = 0; i < points; ++i) {
    const double u = static_cast<double>(points - 1 - i) / static_cast<double>(points - 1);
    grid[i] = shift * u / (1 + (shift - 1) * u);
  }
  grid.front() = 1;  // 1 + (shift - 1) need not round to shift
  return grid;
}

}  // namespace diptych
