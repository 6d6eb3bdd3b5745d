#include "diptych/report/html/curve_svg.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/text_format.h"
#include "diptych/report/html/escape.h"

namespace diptych {

namespace {

constexpr double kWidth = 340, kHeight = 170;
constexpr double kLeft = 44, kRight = 332, kTop = 8, kBottom = 148;  // of the plot
constexpr int kMostStepTicks = 5, kMostValueTicks = 5;
constexpr double kRawColumn = 0.5,
                 kMeanColumn = 2;  // columns narrower than a pixel of a sharp screen show nothing more
constexpr size_t kDots = 40;       // so few values stand as dots

struct Scale {
  AxisRange steps, values;
  double x(double step) const { return kLeft + (kRight - kLeft) * (step - steps.low) / (steps.high - steps.low); }
  double y(double value) const {
    const double inside = std::clamp(value, values.low, values.high);
    return kBottom - (kBottom - kTop) * (inside - values.low) / (values.high - values.low);
  }
};

AxisRange step_range(const std::vector<const Series*>& all) {
  AxisRange range{0, 0};
  bool any = false;
  for (const Series* one : all) {
    if (one->steps.empty()) continue;
    const auto first = static_cast<double>(one->steps.front()), last = static_cast<double>(one->steps.back());
    range = any ? AxisRange{std::min(range.low, first), std::max(range.high, last)} : AxisRange{first, last};
    any = true;
  }
  if (range.low == 1) range.low = 0;  // steps count from 1; an axis that begins at 0 has rounder ticks
  if (range.high == range.low) range.high = range.low + 1;
  return range;
}

std::vector<Point> placed(const Series& series, const std::vector<double>& values, const Scale& scale) {
  std::vector<Point> points;
  for (size_t i = 0; i < values.size(); ++i)
    points.push_back({scale.x(static_cast<double>(series.steps[i])), scale.y(values[i])});
  return points;
}

std::string path(const char* kind, size_t colour, const std::vector<Point>& points) {
  std::string line;
  for (const Point& point : points) line += cat(line.empty() ? "M" : " ", fixed(point.x, 1), " ", fixed(point.y, 1));
  return cat("<path class=\"", kind, " c", colour, "\" d=\"", line, "\"/>");
}

std::string dots(size_t colour, const std::vector<Point>& points) {
  std::string html;
  for (const Point& point : points)
    html += cat("<circle class=\"dot c", colour, "\" cx=\"", fixed(point.x, 1), "\" cy=\"", fixed(point.y, 1),
                "\" r=\"2.2\"/>");
  return html;
}

std::string series_svg(const Series& series, size_t colour, const Scale& scale) {
  const int64_t width = smoothing_width(series.values.size());
  const std::vector<Point> raw = placed(series, series.values, scale);
  if (width == 1) {
    const std::string line = path("line", colour, visible_points(raw, kRawColumn));
    return raw.size() <= kDots ? line + dots(colour, raw) : line;
  }
  const std::vector<Point> means = placed(series, running_mean(series.values, width), scale);
  return path("raw", colour, visible_points(raw, kRawColumn)) +
         path("line", colour, visible_points(means, kMeanColumn));
}

std::string axes(const Scale& scale) {
  std::string svg;
  const std::vector<double> values = axis_ticks(scale.values, kMostValueTicks);
  const std::vector<std::string> value_labels = tick_labels(values);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string y = fixed(scale.y(values[i]), 1);
    svg += cat("<path class=\"grid\" d=\"M", kLeft, " ", y, "H", kRight, "\"/><text class=\"end\" x=\"", kLeft - 5,
               "\" y=\"", fixed(scale.y(values[i]) + 3.8, 1), "\">", value_labels[i], "</text>");
  }
  const std::vector<double> steps = whole_ticks(scale.steps, kMostStepTicks);
  const std::vector<std::string> step_labels = tick_labels(steps);
  for (size_t i = 0; i < steps.size(); ++i) {
    const double x = scale.x(steps[i]);
    // A label under the right edge would be cut off, were it centred.
    const char* anchor = x > kRight - 12 ? "end" : "middle";
    svg += cat("<path class=\"tick\" d=\"M", fixed(x, 1), " ", kBottom, "v4\"/><text class=\"", anchor, "\" x=\"",
               fixed(x > kRight - 12 ? kRight + 6 : x, 1), "\" y=\"", kBottom + 16, "\">", step_labels[i], "</text>");
  }
  return svg + cat("<path class=\"axis\" d=\"M", kLeft, " ", kBottom, "H", kRight, "\"/>");
}

}  // namespace

std::vector<Point> visible_points(const std::vector<Point>& points, double width) {
  std::vector<Point> visible;
  for (size_t begin = 0; begin < points.size();) {
    const double column = std::floor(points[begin].x / width);
    size_t end = begin, lowest = begin, highest = begin;
    for (; end < points.size() && std::floor(points[end].x / width) == column; ++end) {
      if (points[end].y < points[lowest].y) lowest = end;
      if (points[end].y > points[highest].y) highest = end;
    }
    std::vector<size_t> kept = {begin, lowest, highest, end - 1};
    std::sort(kept.begin(), kept.end());
    kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
    for (const size_t i : kept) visible.push_back(points[i]);
    begin = end;
  }
  return visible;
}

std::string curve_svg(const std::string& title, const std::vector<const Series*>& all,
                      const std::vector<size_t>& colours) {
  const Scale scale{step_range(all), value_range(all)};
  std::string svg = cat("<svg viewBox=\"0 0 ", kWidth, " ", kHeight, "\" role=\"img\" aria-label=\"",
                        escape_html(title), " over the steps\">", axes(scale));
  for (size_t i = 0; i < all.size(); ++i)
    if (!all[i]->values.empty()) svg += series_svg(*all[i], colours[i], scale);
  return svg + "</svg>";
}

}  // namespace diptych
