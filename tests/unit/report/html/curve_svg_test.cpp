#include "diptych/report/html/curve_svg.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "unit/report/series_of.h"

namespace diptych {
namespace {

TEST(AxisTest, TicksAreRoundAndInside) {
  EXPECT_EQ(axis_ticks({0, 1}, 5), (std::vector<double>{0, 0.5, 1}));
  EXPECT_EQ(axis_ticks({0, 400}, 5), (std::vector<double>{0, 100, 200, 300, 400}));
  for (const AxisRange range : {AxisRange{0.58, 0.73}, AxisRange{-3e-7, 8e-7}, AxisRange{12, 12345}}) {
    const std::vector<double> ticks = axis_ticks(range, 5);
    EXPECT_GE(ticks.size(), 2u);
    EXPECT_LE(ticks.size(), 5u);
    EXPECT_GE(ticks.front(), range.low - 1e-12);
    EXPECT_LE(ticks.back(), range.high + 1e-12);
  }
}

TEST(AxisTest, StepsAreWhole) {
  EXPECT_EQ(whole_ticks({0, 2}, 5), (std::vector<double>{0, 1, 2}));
  EXPECT_EQ(whole_ticks({3, 3}, 5), (std::vector<double>{3}));
}

TEST(AxisTest, LabelsHaveEqualPrecision) {
  EXPECT_EQ(tick_labels({0, 0.5, 1}), (std::vector<std::string>{"0", "0.5", "1.0"}));
  EXPECT_EQ(tick_labels({0, 20000, 40000}), (std::vector<std::string>{"0", "20k", "40k"}));
  EXPECT_EQ(tick_labels({0, 2e-6, 4e-6}), (std::vector<std::string>{"0", "2e-6", "4e-6"}));
  EXPECT_EQ(tick_labels({0, 1e9}), (std::vector<std::string>{"0", "1e9"}));
}

TEST(AxisTest, TheRangeHoldsAllValues) {
  const Series rising = ramp(100, 0.6, 0.7);
  const AxisRange range = value_range({&rising});
  EXPECT_LT(range.low, 0.6);
  EXPECT_GT(range.low, 0.5);
  EXPECT_GT(range.high, 0.7);
}

TEST(AxisTest, TheRangeBeginsAtZeroWhereValuesComeNear) {
  const Series small = ramp(100, 0.1, 1);
  EXPECT_EQ(value_range({&small}).low, 0);
}

TEST(AxisTest, EqualValuesStillHaveARange) {
  for (const double value : {0.0, 5.0, -5.0}) {
    const Series flat = constant(3, value);
    const AxisRange range = value_range({&flat});
    EXPECT_LT(range.low, range.high);
    EXPECT_LE(range.low, value);
    EXPECT_GE(range.high, value);
  }
}

TEST(AxisTest, SingleValuesFarAwayDoNotStretchTheRange) {
  Series spiky = ramp(400, 1, 2);
  spiky.values[100] = 1000;
  EXPECT_LT(value_range({&spiky}).high, 3);
  const Series high = constant(20, 1000);  // another run is no outlier
  EXPECT_GT(value_range({&spiky, &high}).high, 999);
}

TEST(VisiblePointsTest, EveryColumnKeepsItsEndsAndExtremes) {
  std::vector<Point> points;
  for (int i = 0; i < 1000; ++i) points.push_back({i * 0.01, std::sin(i * 0.7) + (i == 537 ? 9 : 0)});
  const std::vector<Point> visible = visible_points(points, 1);
  EXPECT_LE(visible.size(), 40u);
  EXPECT_TRUE(std::any_of(visible.begin(), visible.end(), [](const Point& point) { return point.y > 8; }));
  EXPECT_EQ(visible.front().x, points.front().x);
  EXPECT_EQ(visible.back().x, points.back().x);
  EXPECT_TRUE(std::is_sorted(visible.begin(), visible.end(), [](const Point& a, const Point& b) { return a.x < b.x; }));
}

TEST(VisiblePointsTest, FewPointsAllStay) {
  EXPECT_EQ(visible_points({{0, 1}, {5, 2}, {9, 3}}, 1).size(), 3u);
  EXPECT_TRUE(visible_points({}, 1).empty());
}

/** The coordinates of the first path of that class. */
std::vector<Point> path_points(const std::string& svg, const std::string& css_class) {
  const size_t start = svg.find("<path class=\"" + css_class + " ");
  if (start == svg.npos) return {};
  const size_t data = svg.find("d=\"M", start) + 4;
  std::istringstream numbers(svg.substr(data, svg.find('"', data) - data));
  std::vector<Point> points;
  for (Point point; numbers >> point.x >> point.y;) points.push_back(point);
  return points;
}

TEST(CurveSvgTest, ARisingSeriesRisesInsideThePlot) {
  const Series rising = ramp(200, 0, 1);
  const std::vector<Point> points = path_points(curve_svg("reward/mean", {&rising}, {0}), "raw");
  ASSERT_GT(points.size(), 150u);
  EXPECT_GT(points.front().y, points.back().y);  // y points down
  for (const Point& point : points) {
    EXPECT_GE(point.x, 44);
    EXPECT_LE(point.x, 332);
    EXPECT_GE(point.y, 8);
    EXPECT_LE(point.y, 148);
  }
  EXPECT_NEAR(points.back().x, 332, 0.1);
}

TEST(CurveSvgTest, LongSeriesHaveRawValuesAndALine) {
  const Series noisy = ramp(400, 0, 1, 0.3);
  const std::string svg = curve_svg("x", {&noisy}, {0});
  EXPECT_FALSE(path_points(svg, "raw").empty());
  EXPECT_FALSE(path_points(svg, "line").empty());
  EXPECT_EQ(svg.find("<circle"), svg.npos);
}

TEST(CurveSvgTest, FewValuesAreDots) {
  const Series few = ramp(3, 0, 1);
  const std::string svg = curve_svg("x", {&few}, {2});
  EXPECT_TRUE(path_points(svg, "raw").empty());
  EXPECT_NE(svg.find("<circle class=\"dot c2\""), svg.npos);
}

TEST(CurveSvgTest, HundredThousandStepsStaySmall) {
  const Series series = ramp(100000, 0, 1, 0.3);
  EXPECT_LT(curve_svg("x", {&series}, {0}).size(), 60000u);
}

TEST(CurveSvgTest, OddInputsGiveAPicture) {
  const Series none, one = constant(1, 5), extreme{{1, 2}, {-1e300, 1e300}, {}};
  for (const Series* series : {&none, &one, &extreme}) {
    const std::string svg = curve_svg("<x>", {series}, {0});
    EXPECT_NE(svg.find("</svg>"), svg.npos);
    EXPECT_EQ(svg.find("nan"), svg.npos);
    EXPECT_EQ(svg.find("inf"), svg.npos);
    EXPECT_EQ(svg.find("<x>"), svg.npos);
  }
}

}  // namespace
}  // namespace diptych
