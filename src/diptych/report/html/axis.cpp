#include "diptych/report/html/axis.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"

namespace diptych {

namespace {

constexpr double kMargin = 0.05;        // of the range, so that curves do not lie on its edges
constexpr double kNearZero = 0.4;       // a lowest value below this share of the highest lets the axis begin at 0
constexpr double kOutlierShare = 0.01;  // values that may lie outside, half of them on each side
constexpr double kOutlierReach = 5;     // times the width of the others: how far away an outlier is
constexpr size_t kEnoughForOutliers = 50;

double round_step(double width, int most) {
  const double rough = width / most;
  const double power = std::pow(10.0, std::floor(std::log10(rough)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (factor * power >= rough * (1 - 1e-9)) return factor * power;
  return 10 * power;
}

std::vector<double> multiples(AxisRange range, double step) {
  std::vector<double> ticks;
  const double slack = 1e-9 * step;
  for (double index = std::ceil((range.low - slack) / step); index * step <= range.high + slack; ++index)
    ticks.push_back(index * step + 0.0);  // + 0.0 turns -0 into 0
  return ticks;
}

std::string trimmed_scientific(double value) {
  std::string text = cat(value);
  for (const char* from : {"e-0", "e+0", "e+"})
    if (const size_t place = text.find(from); place != text.npos)
      text.replace(place, std::string_view(from).size(), from[1] == '-' ? "e-" : "e");
  return text;
}

}  // namespace

std::vector<double> axis_ticks(AxisRange range, int most) {
  if (!(range.high > range.low)) return {range.low};
  double step = round_step(range.high - range.low, most);
  std::vector<double> ticks = multiples(range, step);
  while (ticks.size() > static_cast<size_t>(most)) {
    step = round_step(2 * step * most, most);
    ticks = multiples(range, step);
  }
  return ticks;
}

std::vector<double> whole_ticks(AxisRange range, int most) {
  if (!(range.high > range.low)) return {range.low};
  std::vector<double> ticks = axis_ticks(range, most);
  if (ticks.size() > 1 && ticks[1] - ticks[0] < 1) ticks = multiples(range, 1);
  return ticks;
}

std::vector<std::string> tick_labels(const std::vector<double>& ticks) {
  double largest = 0;
  for (const double tick : ticks) largest = std::max(largest, std::abs(tick));
  const double step = ticks.size() > 1 ? ticks[1] - ticks[0] : largest;
  std::vector<std::string> labels;
  for (const double tick : ticks) {
    if (tick == 0)
      labels.push_back("0");
    else if (largest < 2e-3 || largest >= 1e7)
      labels.push_back(trimmed_scientific(tick));
    else if (largest >= 1e4)
      labels.push_back(cat(tick / 1000, "k"));
    else
      labels.push_back(fixed(tick, std::clamp(static_cast<int>(std::ceil(-std::log10(step) - 1e-9)), 0, 6)));
  }
  return labels;
}

AxisRange value_range(const std::vector<const Series*>& all) {
  std::vector<double> values;
  for (const Series* one : all) values.insert(values.end(), one->values.begin(), one->values.end());
  if (values.empty()) return {0, 1};
  std::sort(values.begin(), values.end());
  AxisRange range{values.front(), values.back()};
  if (values.size() >= kEnoughForOutliers) {
    const auto aside = static_cast<size_t>(std::ceil(kOutlierShare / 2 * static_cast<double>(values.size())));
    const double low = values[aside], high = values[values.size() - 1 - aside];
    const double reach = kOutlierReach * (high - low);
    if (high > low && range.high > high + reach) range.high = high + kMargin * (high - low);
    if (high > low && range.low < low - reach) range.low = low - kMargin * (high - low);
  }
  if (range.low >= 0 && range.low < kNearZero * range.high) range.low = 0;
  double width = range.high - range.low;
  if (width == 0) width = range.low == 0 ? 1 : std::abs(range.low);
  return {range.low == 0 ? 0 : range.low - kMargin * width, range.high + kMargin * width};
}

}  // namespace diptych
