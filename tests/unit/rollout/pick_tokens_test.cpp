#include "diptych/tensor/torch.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "diptych/rollout/text_sampler.h"
#include "support/tiny_model.h"

namespace diptych {
namespace {

/** One row by brute force, in float64: sort, cut, normalise, walk the distribution in the order of ids. */
int64_t reference_pick(const std::vector<double>& logits, const TextSampling& sampling, double uniform) {
  std::vector<size_t> order(logits.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return logits[a] > logits[b]; });
  if (sampling.temperature == 0) return static_cast<int64_t>(order.front());
  const double largest = logits[order.front()];
  const auto weight = [&](size_t id) { return std::exp((logits[id] - largest) / sampling.temperature); };
  size_t kept = order.size();
  if (sampling.top_k > 0) kept = std::min<size_t>(kept, static_cast<size_t>(sampling.top_k));
  double total = 0;
  for (size_t i = 0; i < kept; ++i) total += weight(order[i]);
  double before = 0;
  size_t nucleus = 0;
  while (nucleus < kept && (nucleus == 0 || before / total < sampling.top_p)) before += weight(order[nucleus++]);
  std::vector<bool> allowed(logits.size(), false);
  for (size_t i = 0; i < nucleus; ++i) allowed[order[i]] = true;
  double sum = 0;
  int64_t last = -1;
  for (size_t id = 0; id < logits.size(); ++id) {
    if (!allowed[id]) continue;
    last = static_cast<int64_t>(id);
    sum += weight(id);
    if (sum / before > uniform) return last;
  }
  return last;
}

void expect_reference(const TextSampling& sampling) {
  constexpr int64_t kRows = 60, kVocabulary = 37;
  const Tensor logits = numbers(1, {kRows, kVocabulary}) * 2;
  const Tensor uniforms = uniform_tensor({.seed = 4}, {kRows}).to(at::kDouble);
  const Tensor picked = pick_tokens(logits, sampling, uniforms);
  ASSERT_EQ(picked.sizes(), at::IntArrayRef({kRows}));
  for (int64_t row = 0; row < kRows; ++row) {
    std::vector<double> values;
    for (int64_t id = 0; id < kVocabulary; ++id) values.push_back(logits[row][id].item<double>());
    EXPECT_EQ(picked[row].item<int64_t>(), reference_pick(values, sampling, uniforms[row].item<double>()))
        << "row " << row << ", temperature " << sampling.temperature << ", top-p " << sampling.top_p << ", top-k "
        << sampling.top_k;
  }
}

TEST(PickTokensTest, MatchesBruteForce) {
  expect_reference({});
  for (const double temperature : {0.0, 0.3, 1.0, 4.0}) expect_reference({.temperature = temperature});
  for (const int64_t top_k : {1, 2, 10, 36, 37, 1000}) expect_reference({.top_k = top_k});
  for (const double top_p : {0.0, 1e-9, 0.2, 0.55, 0.9, 0.999}) expect_reference({.top_p = top_p});
  expect_reference({.temperature = 0.7, .top_p = 0.8, .top_k = 6});
}

TEST(PickTokensTest, EndsOfTheUnitIntervalAreSafe) {
  const double almost_one = std::nextafter(1.0, 0.0);
  // Spare ids with no probability at both ends must never be picked.
  const Tensor logits = at::tensor({-1e30f, 0.f, 1.f, 0.5f, -1e30f}).repeat({2, 1});
  const Tensor picked = pick_tokens(logits, {}, at::tensor({0.0, almost_one}, at::kDouble));
  EXPECT_EQ(picked[0].item<int64_t>(), 1);
  EXPECT_EQ(picked[1].item<int64_t>(), 3);
  const Tensor wide = numbers(2, {200, 1000});
  const Tensor last = pick_tokens(wide, {}, at::full({200}, almost_one, at::kDouble));
  EXPECT_LT(last.max().item<int64_t>(), 1000);
}

TEST(PickTokensTest, FrequenciesFollowTheProbabilities) {
  const Tensor logits = at::tensor({0.1f, 0.2f, 0.3f, 0.4f}).log();
  constexpr int64_t kDraws = 4000;
  const Tensor uniforms = (at::arange(kDraws, at::kDouble) + 0.5) / kDraws;
  const Tensor counts = pick_tokens(logits.repeat({kDraws, 1}), {}, uniforms).bincount();
  for (int64_t id = 0; id < 4; ++id) EXPECT_NEAR(counts[id].item<double>() / kDraws, 0.1 * (id + 1), 1e-3);
}

}  // namespace
}  // namespace diptych
