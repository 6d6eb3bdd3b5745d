#include "diptych/report/html/series.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace diptych {

namespace {

size_t part_length(const Series& series, double share) {
  const auto count = static_cast<size_t>(std::lround(share * static_cast<double>(series.values.size())));
  return std::min(series.values.size(), std::max<size_t>(count, 1));
}

double squared_error(std::span<const double> values) {
  const double spread = deviation(values);
  return spread * spread / static_cast<double>(std::max<size_t>(values.size(), 1));
}

}  // namespace

const Series& series(const Curves& curves, const std::string& name) {
  static const Series none;
  const auto found = curves.find(name);
  return found == curves.end() ? none : found->second;
}

double sum(std::span<const double> values) {
  double total = 0;
  for (const double value : values) total += value;
  return total;
}

double largest(std::span<const double> values) {
  return values.empty() ? 0 : *std::max_element(values.begin(), values.end());
}

double mean(std::span<const double> values) {
  return values.empty() ? 0 : sum(values) / static_cast<double>(values.size());
}

double deviation(std::span<const double> values) {
  const double centre = mean(values);
  double squares = 0;
  for (const double value : values) squares += (value - centre) * (value - centre);
  return values.empty() ? 0 : std::sqrt(squares / static_cast<double>(values.size()));
}

double median(std::span<const double> values) {
  if (values.empty()) return 0;
  std::vector<double> sorted(values.begin(), values.end());
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>((sorted.size() - 1) / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

std::span<const double> first_part(const Series& series, double share) {
  return std::span(series.values).first(part_length(series, share));
}

std::span<const double> last_part(const Series& series, double share) {
  return std::span(series.values).last(part_length(series, share));
}

std::span<const double> middle_part(const Series& series, double share) {
  const size_t length = part_length(series, share);
  return std::span(series.values).subspan((series.values.size() - length) / 2, length);
}

double separation(std::span<const double> before, std::span<const double> after) {
  const double difference = mean(after) - mean(before);
  const double error = std::sqrt(squared_error(before) + squared_error(after));
  if (difference == 0) return 0;
  return error == 0 ? std::copysign(std::numeric_limits<double>::infinity(), difference) : difference / error;
}

int64_t smoothing_width(size_t values) {
  if (values < 20) return 1;
  const auto width = static_cast<int64_t>(values / 20);
  return width % 2 == 1 ? width : width + 1;
}

std::vector<double> running_mean(const std::vector<double>& values, int64_t width) {
  std::vector<double> before(values.size() + 1, 0.0);  // sum of the values ahead of each place
  for (size_t i = 0; i < values.size(); ++i) before[i + 1] = before[i] + values[i];
  std::vector<double> means;
  const auto reach = static_cast<size_t>(width / 2);
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t begin = i - std::min(i, reach), end = std::min(i + reach + 1, values.size());
    means.push_back((before[end] - before[begin]) / static_cast<double>(end - begin));
  }
  return means;
}

}  // namespace diptych
