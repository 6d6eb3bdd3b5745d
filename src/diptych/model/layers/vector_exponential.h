#pragma once
// The exponential function for loops that the compiler vectorises.

#include <cstdint>

namespace diptych {

// Everything here has internal linkage and calls no inline function of the standard library: files that are compiled
// for newer processors must not lend their code to others.
static inline double exponential(double x) {
  return __builtin_exp(x);
}

// e^x = 2^k e^r with |r| <= ln(2) / 2 and a Taylor polynomial for e^r, for |x| clamped to 87: within 2 units in the
// last place. Branch-free, and clamped through the bits, so that the compiler can vectorise the loops that use it.
static inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRounder = 12582912.0F;   // 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits
  constexpr int32_t kLargest = 0x42ae0000;  // the bits of 87
  const auto bits = __builtin_bit_cast(uint32_t, x);
  const auto size = static_cast<int32_t>(bits & 0x7fffffffU);
  const int32_t magnitude = size < kLargest ? size : kLargest;
  const auto clamped = __builtin_bit_cast(float, (bits & 0x80000000U) | static_cast<uint32_t>(magnitude));
  const float shifted = clamped * kLog2E + kRounder;
  const float k = shifted - kRounder;
  const float r = (clamped - k * kLn2High) - k * kLn2Low;
  float p = 1.0F / 5040;
  p = p * r + 1.0F / 720;
  p = p * r + 1.0F / 120;
  p = p * r + 1.0F / 24;
  p = p * r + 1.0F / 6;
  p = p * r + 0.5F;
  p = p * r + 1.0F;
  p = p * r + 1.0F;
  const auto exponent = __builtin_bit_cast(uint32_t, shifted) - __builtin_bit_cast(uint32_t, kRounder);
  return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, p) + (exponent << 23));
}

}  // namespace diptych
