#include "diptych/algorithm/geometry.h"

#include <gtest/gtest.h>

#include "diptych/flow/timestep_grid.h"

namespace diptych {
namespace {

TEST(Geometry, ThePaperGainIsThePrintedOne) {
  EXPECT_NEAR(mean_velocity_gain(timestep_grid(26, 3), 0, 5, 0.8), 0.0194, 5e-5);
}

TEST(Geometry, ThePaperSetupHasFactorOne) {
  EXPECT_DOUBLE_EQ(geometry_scale(262144, timestep_grid(26, 3), 0, 5, 0.8), 1.0);
}

TEST(Geometry, AQuarterOfTheElementsDoublesTheFactor) {
  EXPECT_DOUBLE_EQ(geometry_scale(65536, timestep_grid(26, 3), 0, 5, 0.8), 2.0);
}

TEST(Geometry, ACoarseToyGridHasAboutTenTimesTheGain) {
  EXPECT_NEAR(geometry_scale(262144, timestep_grid(6, 2), 0, 3, 0.8), 0.2 / 0.0194, 2.0);
}

}  // namespace
}  // namespace diptych
