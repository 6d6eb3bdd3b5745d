#include "diptych/base/rng.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace diptych {
namespace {

// Published vectors of Random123 (kat_vectors, philox4x32 10).
TEST(Rng, PhiloxKnownAnswers) {
  using Block = std::array<uint32_t, 4>;
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, {0, 0}), (Block{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({~0u, ~0u, ~0u, ~0u}, {~0u, ~0u}), (Block{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Block{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Rng, SameAddressSameDraws) {
  const StreamKey key{.seed = 7, .purpose = Purpose::think, .step = 3, .prompt = 2, .sample = 1, .position = 9};
  Stream first(key);
  Stream second(key);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(first.next_u32(), second.next_u32());
}

TEST(Rng, AStreamMayBeginAtAnyBlock) {
  const StreamKey key{.seed = 7, .purpose = Purpose::weights, .position = 3};
  for (const uint64_t block : {0, 1, 5, 12}) {
    Stream whole(key), late(key, block), normal_whole(key), normal_late(key, block);
    for (uint64_t i = 0; i < 4 * block; ++i) whole.next_u32();
    for (uint64_t i = 0; i < 2 * block; ++i) normal_whole.normal();
    for (int i = 0; i < 20; ++i) EXPECT_EQ(late.next_u32(), whole.next_u32());
    for (int i = 0; i < 20; ++i) EXPECT_EQ(normal_late.normal(), normal_whole.normal());
  }
  // Beyond 2^32 blocks the second word of the counter goes on.
  Stream before(key, (uint64_t{1} << 32) - 1), after(key, uint64_t{1} << 32);
  for (int i = 0; i < 4; ++i) before.next_u32();
  for (int i = 0; i < 4; ++i) EXPECT_EQ(before.next_u32(), after.next_u32());
}

TEST(Rng, EveryFieldOfTheAddressMatters) {
  std::set<uint64_t> first_draws;
  const auto draw = [&](const StreamKey& key) { first_draws.insert(Stream(key).next_u64()); };
  draw({});
  draw({.seed = 1});
  draw({.purpose = Purpose::think});
  draw({.step = 1});
  draw({.prompt = 1});
  draw({.sample = 1});
  draw({.position = 1});
  EXPECT_EQ(first_draws.size(), 7u);
}

TEST(Rng, NormalMoments) {
  constexpr int kCount = 200000;
  Stream stream({.seed = 1});
  double sums[5] = {};
  for (int i = 0; i < kCount; ++i) {
    const double value = stream.normal();
    ASSERT_TRUE(std::isfinite(value));
    double power = 1;
    for (double& sum : sums) sum += std::exchange(power, power * value);
  }
  // Five standard errors of each moment: variances of x, x^2, x^3, x^4 are 1, 2, 15, 96.
  const double root = std::sqrt(double(kCount));
  EXPECT_NEAR(sums[1] / kCount, 0, 5 * std::sqrt(1.0) / root);
  EXPECT_NEAR(sums[2] / kCount, 1, 5 * std::sqrt(2.0) / root);
  EXPECT_NEAR(sums[3] / kCount, 0, 5 * std::sqrt(15.0) / root);
  EXPECT_NEAR(sums[4] / kCount, 3, 5 * std::sqrt(96.0) / root);
}

TEST(Rng, UniformStaysInRangeWithItsMoments) {
  constexpr int kCount = 200000;
  Stream stream({.seed = 2});
  double sum = 0;
  double squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = stream.uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    sum += value;
    squares += value * value;
  }
  const double root = std::sqrt(double(kCount));
  EXPECT_NEAR(sum / kCount, 0.5, 5 * std::sqrt(1.0 / 12) / root);
  EXPECT_NEAR(squares / kCount, 1.0 / 3, 5 * std::sqrt(4.0 / 45) / root);
}

TEST(Rng, BelowIsUniform) {
  for (const uint64_t bound : {2, 7, 10, 37}) {
    constexpr int kPerCell = 4000;
    std::vector<int> counts(bound);
    Stream stream({.seed = bound});
    for (uint64_t i = 0; i < kPerCell * bound; ++i) {
      const uint64_t value = stream.below(bound);
      ASSERT_LT(value, bound);
      ++counts[value];
    }
    double chi_square = 0;
    for (const int count : counts) chi_square += (count - kPerCell) * (count - kPerCell) / double(kPerCell);
    const double freedom = double(bound) - 1;
    EXPECT_LT(chi_square, freedom + 5 * std::sqrt(2 * freedom)) << "bound " << bound;
  }
}

TEST(Rng, BelowReachesLargeBounds) {
  Stream stream({.seed = 3});
  constexpr uint64_t kBound = (uint64_t{1} << 63) + 1;
  bool upper_half = false;
  for (int i = 0; i < 100; ++i) {
    const uint64_t value = stream.below(kBound);
    ASSERT_LT(value, kBound);
    upper_half |= value > kBound / 2;
  }
  EXPECT_TRUE(upper_half);
  EXPECT_EQ(stream.below(1), 0u);
}

TEST(Rng, NeighbouringAddressesAreIndependent) {
  constexpr int kCount = 20000;
  const auto correlation = [](auto make_key) {
    double sum = 0;
    for (uint64_t i = 0; i < kCount; ++i) sum += Stream(make_key(i)).normal() * Stream(make_key(i + 1)).normal();
    return sum / kCount;
  };
  const double limit = 5 / std::sqrt(double(kCount));
  EXPECT_NEAR(correlation([](uint64_t i) { return StreamKey{.seed = i}; }), 0, limit);
  EXPECT_NEAR(correlation([](uint64_t i) { return StreamKey{.step = i}; }), 0, limit);
  EXPECT_NEAR(correlation([](uint64_t i) { return StreamKey{.prompt = i}; }), 0, limit);
  EXPECT_NEAR(correlation([](uint64_t i) { return StreamKey{.sample = i}; }), 0, limit);
  EXPECT_NEAR(correlation([](uint64_t i) { return StreamKey{.position = i}; }), 0, limit);
}

// First draws over consecutive addresses must be as uniform as one stream.
TEST(Rng, FirstDrawsOfConsecutiveAddressesAreUniform) {
  constexpr int kCells = 64;
  constexpr int kPerCell = 500;
  std::vector<int> counts(kCells);
  for (uint64_t i = 0; i < kCells * kPerCell; ++i) ++counts[size_t(Stream({.position = i}).uniform() * kCells)];
  double chi_square = 0;
  for (const int count : counts) chi_square += (count - kPerCell) * (count - kPerCell) / double(kPerCell);
  EXPECT_LT(chi_square, kCells + 5 * std::sqrt(2.0 * kCells));
}

}  // namespace
}  // namespace diptych
