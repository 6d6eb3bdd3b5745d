#include "diptych/reward/judge_check/agreement_statistics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numeric>

namespace diptych {

namespace {

constexpr size_t kBins = 10;

/** Ranks from 1; equal values share the mean of their ranks. */
std::vector<double> mean_ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    while (end < order.size() && values[order[end]] == values[order[begin]]) ++end;
    const double rank = 0.5 * static_cast<double>(begin + 1 + end);
    for (size_t place = begin; place < end; ++place) ranks[order[place]] = rank;
  }
  return ranks;
}

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

}  // namespace

std::optional<double> balanced_accuracy(const std::vector<double>& values, const std::vector<bool>& truths) {
  std::array<double, 2> right{}, count{};
  for (size_t i = 0; i < values.size(); ++i) {
    right[truths[i]] += (values[i] > 0.5) == truths[i] ? 1 : 0;
    count[truths[i]] += 1;
  }
  if (count[0] == 0 || count[1] == 0) return std::nullopt;
  return 0.5 * (right[0] / count[0] + right[1] / count[1]);
}

std::optional<double> area_under_curve(const std::vector<double>& values, const std::vector<bool>& truths) {
  const std::vector<double> ranks = mean_ranks(values);
  double rank_sum = 0, positives = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!truths[i]) continue;
    rank_sum += ranks[i];
    positives += 1;
  }
  const double negatives = static_cast<double>(values.size()) - positives;
  if (positives == 0 || negatives == 0) return std::nullopt;
  return (rank_sum - 0.5 * positives * (positives + 1)) / (positives * negatives);
}

double calibration_error(const std::vector<double>& probabilities, const std::vector<bool>& truths) {
  std::array<double, kBins> excess{};  // sum of probability - truth
  for (size_t i = 0; i < probabilities.size(); ++i) {
    const auto bin = std::min(kBins - 1, static_cast<size_t>(probabilities[i] * kBins));
    excess[bin] += probabilities[i] - (truths[i] ? 1 : 0);
  }
  double sum = 0;
  for (const double difference : excess) sum += std::abs(difference);
  return probabilities.empty() ? 0 : sum / static_cast<double>(probabilities.size());
}

std::optional<double> rank_correlation(const std::vector<double>& a, const std::vector<double>& b) {
  if (a.size() < 2) return std::nullopt;
  const std::vector<double> ranks_a = mean_ranks(a);
  const std::vector<double> ranks_b = mean_ranks(b);
  const double middle = mean(ranks_a);  // of both: ranks have the same sum
  double product = 0, square_a = 0, square_b = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    product += (ranks_a[i] - middle) * (ranks_b[i] - middle);
    square_a += (ranks_a[i] - middle) * (ranks_a[i] - middle);
    square_b += (ranks_b[i] - middle) * (ranks_b[i] - middle);
  }
  if (square_a == 0 || square_b == 0) return std::nullopt;
  return product / std::sqrt(square_a * square_b);
}

}  // namespace diptych
