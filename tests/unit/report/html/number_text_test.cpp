#include "diptych/report/html/number_text.h"

#include <gtest/gtest.h>

#include <limits>

namespace diptych {
namespace {

TEST(NumberTextTest, ThreeSignificantDigits) {
  EXPECT_EQ(number_text(0), "0");
  EXPECT_EQ(number_text(0.68213), "0.682");
  EXPECT_EQ(number_text(0.5), "0.5");
  EXPECT_EQ(number_text(12.34), "12.3");
  EXPECT_EQ(number_text(-3), "-3");
  EXPECT_EQ(number_text(999.9), "1000");
  EXPECT_EQ(number_text(4096.4), "4096");
  EXPECT_EQ(number_text(0.000015), "1.5e-5");
  EXPECT_EQ(number_text(2500000), "2.5e6");
  EXPECT_EQ(number_text(std::numeric_limits<double>::quiet_NaN()), "not finite");
}

TEST(NumberTextTest, ChangesHaveASign) {
  EXPECT_EQ(change_text(0.094), "+0.094");
  EXPECT_EQ(change_text(-1.5), "−1.5");
  EXPECT_EQ(points_text(0.0938), "+9.4");
  EXPECT_EQ(points_text(-0.012), "−1.2");
  EXPECT_EQ(points_text(-0.0001), "±0.0");
}

TEST(NumberTextTest, PercentDurationAndCounts) {
  EXPECT_EQ(percent_text(0.4609), "46.1 %");
  EXPECT_EQ(duration_text(48.2), "48 s");
  EXPECT_EQ(duration_text(740), "12.3 min");
  EXPECT_EQ(duration_text(7200), "2.0 h");
  EXPECT_EQ(count_text(1, "step"), "1 step");
  EXPECT_EQ(count_text(2, "step"), "2 steps");
}

}  // namespace
}  // namespace diptych
