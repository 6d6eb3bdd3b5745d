#include "diptych/base/rng.h"

#include <cmath>
#include <numbers>

namespace diptych {

namespace {

// Finaliser of SplitMix64 (Steele et al., OOPSLA 2014): a bijection that mixes every bit.
uint64_t mix(uint64_t value) {
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ull;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebull;
  return value ^ (value >> 31);
}

uint64_t absorb(uint64_t state, uint64_t value) {
  return mix(state + 0x9e3779b97f4a7c15ull + mix(value));
}

uint64_t hash(const StreamKey& key, uint64_t salt) {
  uint64_t state = mix(salt);
  for (uint64_t field : {key.seed, static_cast<uint64_t>(key.purpose), key.step, key.prompt, key.sample, key.position})
    state = absorb(state, field);
  return state;
}

}  // namespace

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53u} * counter[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57u} * counter[2];
    counter = {static_cast<uint32_t>(product1 >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(product1),
               static_cast<uint32_t>(product0 >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(product0)};
    key[0] += 0x9E3779B9u;
    key[1] += 0xBB67AE85u;
  }
  return counter;
}

Stream::Stream(const StreamKey& key, uint64_t first_block) {
  const uint64_t first = hash(key, 0x6469707479636831ull);
  const uint64_t second = hash(key, 0x6469707479636832ull);
  key_ = {static_cast<uint32_t>(first), static_cast<uint32_t>(first >> 32)};
  counter_ = {static_cast<uint32_t>(first_block), static_cast<uint32_t>(first_block >> 32),
              static_cast<uint32_t>(second), static_cast<uint32_t>(second >> 32)};
}

uint32_t Stream::next_u32() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    if (++counter_[0] == 0) ++counter_[1];
    used_ = 0;
  }
  return block_[used_++];
}

uint64_t Stream::next_u64() {
  const uint64_t low = next_u32();
  return low | (static_cast<uint64_t>(next_u32()) << 32);
}

double Stream::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1.0p-53;
}

double Stream::normal() {
  if (has_spare_) {
    has_spare_ = false;
    return spare_;
  }
  // 1 - u lies in (0, 1], so the logarithm is finite.
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  const double angle = 2.0 * std::numbers::pi * uniform();
  spare_ = radius * std::sin(angle);
  has_spare_ = true;
  return radius * std::cos(angle);
}

uint64_t Stream::below(uint64_t bound) {
  // Rejection keeps the draw unbiased; the loop ends after 1-2 rounds on average.
  const uint64_t limit = bound * (UINT64_MAX / bound);
  uint64_t value = next_u64();
  while (value >= limit) value = next_u64();
  return value % bound;
}

}  // namespace diptych
