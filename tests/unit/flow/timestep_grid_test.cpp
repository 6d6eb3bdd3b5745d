#include "diptych/flow/timestep_grid.h"

#include <gtest/gtest.h>

#include <limits>

#include "diptych/base/error.h"

namespace diptych {
namespace {

TEST(TimestepGrid, FallsFromOneToZero) {
  // Below 0.5, 1 + (shift - 1) seldom rounds to the shift: 0.1 and 0.301 to less, 0.3 to more.
  for (int64_t points : {2, 3, 6, 26, 51, 1001}) {
    for (double shift : {1e-3, 0.01, 0.07, 0.1, 0.2, 0.3, 0.301, 0.35, 0.49, 0.5, 1.0, 3.0, 17.0, 1e3}) {
      const std::vector<double> grid = timestep_grid(points, shift);
      ASSERT_EQ(static_cast<int64_t>(grid.size()), points);
      EXPECT_EQ(grid.front(), 1.0);
      EXPECT_EQ(grid.back(), 0.0);
      for (size_t i = 1; i < grid.size(); ++i) EXPECT_LT(grid[i], grid[i - 1]);
    }
  }
}

TEST(TimestepGrid, RejectsWhatIsNoGrid) {
  EXPECT_THROW(timestep_grid(1, 3), Error);
  EXPECT_THROW(timestep_grid(26, 0), Error);
  EXPECT_THROW(timestep_grid(26, -1), Error);
  EXPECT_THROW(timestep_grid(26, std::numeric_limits<double>::quiet_NaN()), Error);
  EXPECT_THROW(timestep_grid(26, std::numeric_limits<double>::infinity()), Error);
}

}  // namespace
}  // namespace diptych
