#include "diptych/flow/timestep_grid.h"

#include <cstdio>
#include <limits>

#include "diptych/tensor/load.h"
#include "support/compare.h"
#include "support/fixtures.h"

namespace diptych {
namespace {

TEST(TimestepGridParity, EveryGridOfTheFixture) {
  const auto fixture = load_tensors(fixture_folder() / "algorithms" / "timestep_grids.safetensors");
  int grids = 0;
  for (const auto& [key, expected] : fixture) {
    int points = 0;
    double shift = 0;
    if (!key.ends_with(".t_f64")) continue;
    ASSERT_EQ(std::sscanf(key.c_str(), "N%d_shift%lf", &points, &shift), 2) << key;
    const std::string prefix = key.substr(0, key.size() - 6);
    const Tensor grid = at::tensor(timestep_grid(points, shift), at::kDouble);
    EXPECT_TRUE(close(grid, expected, {.absolute = 1e-15})) << key;
    EXPECT_TRUE(close(grid.slice(0, 1) - grid.slice(0, 0, -1), fixture.at(prefix + ".dt_f64"), {.absolute = 1e-15}))
        << key;
    // The peers round four times on the way (u, s u, the denominator, the quotient), half a unit in the last place
    // each.
    EXPECT_TRUE(close(grid.to(at::kFloat), fixture.at(prefix + ".t_f32"),
                      {.absolute = 2 * std::numeric_limits<float>::epsilon()}))
        << key;
    ++grids;
  }
  EXPECT_GT(grids, 0);
}

}  // namespace
}  // namespace diptych
