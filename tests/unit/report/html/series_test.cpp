#include "diptych/report/html/series.h"

#include <gtest/gtest.h>

#include <cmath>

#include "unit/report/series_of.h"

namespace diptych {
namespace {

TEST(SeriesTest, StatisticsOfKnownNumbers) {
  const std::vector<double> values = {4, 1, 3, 2};
  EXPECT_EQ(sum(values), 10);
  EXPECT_EQ(mean(values), 2.5);
  EXPECT_EQ(median(values), 2);
  EXPECT_NEAR(deviation(values), 1.1180339887498949, 1e-12);
  EXPECT_EQ(mean({}), 0);
  EXPECT_EQ(median({}), 0);
  EXPECT_EQ(deviation({}), 0);
}

TEST(SeriesTest, PartsHaveAtLeastOneValueAndNoMoreThanThereAre) {
  const Series ten = ramp(10, 1, 10);
  EXPECT_EQ(first_part(ten, 0.25).size(), 3u);
  EXPECT_EQ(first_part(ten, 0.25).front(), 1);
  EXPECT_EQ(last_part(ten, 0.01).size(), 1u);
  EXPECT_EQ(last_part(ten, 0.01).front(), 10);
  EXPECT_EQ(middle_part(ten, 0.5).size(), 5u);
  EXPECT_EQ(middle_part(ten, 0.5).front(), 3);
  EXPECT_TRUE(first_part(Series{}, 0.5).empty());
  EXPECT_TRUE(middle_part(Series{}, 0.5).empty());
}

TEST(SeriesTest, SeparationCountsStandardErrors) {
  const std::vector<double> low = {0, 2, 0, 2}, high = {3, 5, 3, 5};
  EXPECT_NEAR(separation(low, high), 3 / std::sqrt(0.5), 1e-12);
  EXPECT_NEAR(separation(high, low), -3 / std::sqrt(0.5), 1e-12);
  EXPECT_EQ(separation(low, low), 0);
  const std::vector<double> one = {1, 1}, two = {2, 2};
  EXPECT_TRUE(std::isinf(separation(one, two)));
}

TEST(SeriesTest, SmoothingIsAboutATwentiethAndOdd) {
  EXPECT_EQ(smoothing_width(19), 1);
  EXPECT_EQ(smoothing_width(100), 5);
  EXPECT_EQ(smoothing_width(400), 21);
}

TEST(SeriesTest, RunningMeanIsCentredAndShorterAtTheEnds) {
  EXPECT_EQ(running_mean({1, 2, 6, 3}, 3), (std::vector<double>{1.5, 3, 11.0 / 3, 4.5}));
  EXPECT_EQ(running_mean({1, 2}, 1), (std::vector<double>{1, 2}));
  EXPECT_TRUE(running_mean({}, 5).empty());
}

TEST(SeriesTest, AnUnknownNameIsAnEmptySeries) {
  EXPECT_TRUE(series({}, "reward/mean").values.empty());
}

}  // namespace
}  // namespace diptych
