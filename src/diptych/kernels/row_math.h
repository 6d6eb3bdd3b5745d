#pragma once
// What the CUDA kernels compute, row by row in bfloat16 with float32 inside, as functions that also compile for the
// host: so tests without a GPU run the same lines, but for the rounding itself. Forward they round to bfloat16 wherever
// the layers as ATen's operations would; gradients less often.

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define DIPTYCH_HOST_DEVICE __host__ __device__
#else
#define DIPTYCH_HOST_DEVICE
#endif

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
#define DIPTYCH_ROUNDS_PAIRS  // in one instruction, to the bits of the host's lines but for NaN
#endif

namespace diptych::kernels {

struct Bfloat16 {
  uint16_t bits;
};

DIPTYCH_HOST_DEVICE inline float wide(Bfloat16 number) {
  const uint32_t bits = static_cast<uint32_t>(number.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

#ifdef DIPTYCH_ROUNDS_PAIRS
/** Both to the nearest, ties to even. The instruction for one number runs at a fraction of this one's rate. */
__device__ inline uint32_t pair_of(float high, float low) {
  uint32_t pair;
  asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
  return pair;
}
#endif

/** To the nearest, ties to even. */
DIPTYCH_HOST_DEVICE inline Bfloat16 narrow(float value) {
#ifdef DIPTYCH_ROUNDS_PAIRS
  return {static_cast<uint16_t>(pair_of(0.0F, value))};
#else
  if (value != value) return {0x7fc0};
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
#endif
}

DIPTYCH_HOST_DEVICE inline float rounded(float value) {
#ifdef DIPTYCH_ROUNDS_PAIRS
  return __uint_as_float(pair_of(value, 0.0F));
#else
  return wide(narrow(value));
#endif
}

/** So many neighbours, which travel together. */
template <int N>
struct alignas(sizeof(Bfloat16) * N) Packet {
  Bfloat16 at[N];
};

constexpr int kPacket = 8;      // 16 bytes: the widest load there is
constexpr int kHeadPacket = 4;  // divides half a head, whose width is a multiple of kPacket

template <int N>
DIPTYCH_HOST_DEVICE inline Packet<N> load(const Bfloat16* from) {
  return *reinterpret_cast<const Packet<N>*>(from);
}

template <int N>
DIPTYCH_HOST_DEVICE inline void store(const Packet<N>& packet, Bfloat16* to) {
  *reinterpret_cast<Packet<N>*>(to) = packet;
}

// `Lanes` are the threads that share a row: number() of this one, count() of all, and sum(x), the same for all.

/** From the sum of squares. */
DIPTYCH_HOST_DEVICE inline float inverse_rms_of(float squares, int width, float eps) {
  return 1.0F / std::sqrt(squares / static_cast<float>(width) + eps);
}

/** y = narrow(x s) w with s = 1 / sqrt(mean(x^2) + eps), which goes to *inverse_rms. width: a multiple of kPacket. */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void rms_norm_row(const Lanes& lanes, const Bfloat16* x, const Bfloat16* weight, int width,
                                             float eps, Bfloat16* y, float* inverse_rms) {
  float squares = 0;
  for (int i = lanes.number() * kPacket; i < width; i += lanes.count() * kPacket) {
    const auto in = load<kPacket>(x + i);
    for (int k = 0; k < kPacket; ++k) squares += wide(in.at[k]) * wide(in.at[k]);
  }
  const float scale = inverse_rms_of(lanes.sum(squares), width, eps);
  for (int i = lanes.number() * kPacket; i < width; i += lanes.count() * kPacket) {
    const auto in = load<kPacket>(x + i), w = load<kPacket>(weight + i);
    Packet<kPacket> out;
    for (int k = 0; k < kPacket; ++k) out.at[k] = narrow(rounded(wide(in.at[k]) * scale) * wide(w.at[k]));
    store(out, y + i);
  }
  if (lanes.number() == 0) *inverse_rms = scale;
}

/** With n = x s: dx = s (g w - n mean(g w n)). */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void rms_norm_gradient_row(const Lanes& lanes, const Bfloat16* gradient, const Bfloat16* x,
                                                      const Bfloat16* weight, float inverse_rms, int width,
                                                      Bfloat16* x_gradient) {
  float product = 0;
  for (int i = lanes.number() * kPacket; i < width; i += lanes.count() * kPacket) {
    const auto g = load<kPacket>(gradient + i), in = load<kPacket>(x + i), w = load<kPacket>(weight + i);
    for (int k = 0; k < kPacket; ++k) product += wide(g.at[k]) * wide(w.at[k]) * wide(in.at[k]);
  }
  const float pull = lanes.sum(product) / static_cast<float>(width) * inverse_rms * inverse_rms;
  for (int i = lanes.number() * kPacket; i < width; i += lanes.count() * kPacket) {
    const auto g = load<kPacket>(gradient + i), in = load<kPacket>(x + i), w = load<kPacket>(weight + i);
    Packet<kPacket> out;
    for (int k = 0; k < kPacket; ++k)
      out.at[k] = narrow(inverse_rms * (wide(g.at[k]) * wide(w.at[k]) - wide(in.at[k]) * pull));
    store(out, x_gradient + i);
  }
}

/** Sum over rows [begin, end) of g narrow(x s), of one column. */
DIPTYCH_HOST_DEVICE inline float rms_norm_weight_gradient_of(const Bfloat16* gradient, const Bfloat16* x,
                                                             const float* inverse_rms, int64_t begin, int64_t end,
                                                             int width, int column) {
  float sum = 0;
  for (int64_t row = begin; row < end; ++row) {
    const int64_t at = row * width + column;
    sum += wide(gradient[at]) * rounded(wide(x[at]) * inverse_rms[row]);
  }
  return sum;
}

/** Numbers of a head: a packet of its first half, and what lies half a head further on. A lane owns both, since a
 *  rotation mixes them. */
struct Halves {
  float first[kHeadPacket], second[kHeadPacket];
};

DIPTYCH_HOST_DEVICE inline Halves load_halves(const Bfloat16* from, int half) {
  const auto first = load<kHeadPacket>(from), second = load<kHeadPacket>(from + half);
  Halves numbers;
  for (int k = 0; k < kHeadPacket; ++k) {
    numbers.first[k] = wide(first.at[k]);
    numbers.second[k] = wide(second.at[k]);
  }
  return numbers;
}

DIPTYCH_HOST_DEVICE inline void store_halves(const Halves& numbers, Bfloat16* to, int half) {
  Packet<kHeadPacket> first, second;
  for (int k = 0; k < kHeadPacket; ++k) {
    first.at[k] = narrow(numbers.first[k]);
    second.at[k] = narrow(numbers.second[k]);
  }
  store(first, to);
  store(second, to + half);
}

/** One head: y_i = n_i cos_i + n_j sin_i with n as in rms_norm_row and j the place half a head away. width: a multiple
 *  of kPacket. */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void norm_rotate_row(const Lanes& lanes, const Bfloat16* x, const Bfloat16* weight,
                                                int width, float eps, const Bfloat16* cosine, const Bfloat16* sine,
                                                Bfloat16* y, float* inverse_rms) {
  const int half = width / 2;
  float squares = 0;
  for (int i = lanes.number() * kHeadPacket; i < half; i += lanes.count() * kHeadPacket) {
    const Halves in = load_halves(x + i, half);
    for (int k = 0; k < kHeadPacket; ++k) squares += in.first[k] * in.first[k] + in.second[k] * in.second[k];
  }
  const float scale = inverse_rms_of(lanes.sum(squares), width, eps);
  for (int i = lanes.number() * kHeadPacket; i < half; i += lanes.count() * kHeadPacket) {
    const Halves in = load_halves(x + i, half), w = load_halves(weight + i, half);
    const Halves c = load_halves(cosine + i, half), s = load_halves(sine + i, half);
    Halves out;
    for (int k = 0; k < kHeadPacket; ++k) {
      const float first = rounded(rounded(in.first[k] * scale) * w.first[k]);
      const float second = rounded(rounded(in.second[k] * scale) * w.second[k]);
      out.first[k] = rounded(first * c.first[k]) + rounded(second * s.first[k]);
      out.second[k] = rounded(second * c.second[k]) + rounded(first * s.second[k]);
    }
    store_halves(out, y + i, half);
  }
  if (lanes.number() == 0) *inverse_rms = scale;
}

/** The gradient of what was rotated. */
DIPTYCH_HOST_DEVICE inline Halves rotated_back(const Bfloat16* gradient, const Bfloat16* cosine, const Bfloat16* sine,
                                               int half) {
  const Halves g = load_halves(gradient, half), c = load_halves(cosine, half), s = load_halves(sine, half);
  Halves out;
  for (int k = 0; k < kHeadPacket; ++k) {
    out.first[k] = g.first[k] * c.first[k] + g.second[k] * s.second[k];
    out.second[k] = g.second[k] * c.second[k] + g.first[k] * s.first[k];
  }
  return out;
}

/** Gradient of norm_rotate_row. n_gradient: that of n, for the weight's; null where nobody asks. */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void norm_rotate_gradient_row(const Lanes& lanes, const Bfloat16* gradient,
                                                         const Bfloat16* x, const Bfloat16* weight, float inverse_rms,
                                                         int width, const Bfloat16* cosine, const Bfloat16* sine,
                                                         Bfloat16* x_gradient, Bfloat16* n_gradient) {
  const int half = width / 2;
  float product = 0;
  for (int i = lanes.number() * kHeadPacket; i < half; i += lanes.count() * kHeadPacket) {
    const Halves g = rotated_back(gradient + i, cosine + i, sine + i, half);
    const Halves in = load_halves(x + i, half), w = load_halves(weight + i, half);
    for (int k = 0; k < kHeadPacket; ++k)
      product += g.first[k] * w.first[k] * in.first[k] + g.second[k] * w.second[k] * in.second[k];
  }
  const float pull = lanes.sum(product) / static_cast<float>(width) * inverse_rms * inverse_rms;
  for (int i = lanes.number() * kHeadPacket; i < half; i += lanes.count() * kHeadPacket) {
    const Halves g = rotated_back(gradient + i, cosine + i, sine + i, half);
    const Halves in = load_halves(x + i, half), w = load_halves(weight + i, half);
    Halves out;
    for (int k = 0; k < kHeadPacket; ++k) {
      out.first[k] = inverse_rms * (g.first[k] * w.first[k] - in.first[k] * pull);
      out.second[k] = inverse_rms * (g.second[k] * w.second[k] - in.second[k] * pull);
    }
    store_halves(out, x_gradient + i, half);
    if (n_gradient != nullptr) store_halves(g, n_gradient + i, half);
  }
}

DIPTYCH_HOST_DEVICE inline float sigmoid_of(float x) {
  return 1.0F / (1.0F + std::exp(-x));
}

/** narrow(silu(gate)) up, of kPacket numbers. */
DIPTYCH_HOST_DEVICE inline void silu_mul_packet(const Bfloat16* gate, const Bfloat16* up, Bfloat16* y) {
  const auto g = load<kPacket>(gate), u = load<kPacket>(up);
  Packet<kPacket> out;
  for (int k = 0; k < kPacket; ++k) {
    const float value = wide(g.at[k]);
    out.at[k] = narrow(rounded(value / (1.0F + std::exp(-value))) * wide(u.at[k]));
  }
  store(out, y);
}

DIPTYCH_HOST_DEVICE inline void silu_mul_gradient_packet(const Bfloat16* gradient, const Bfloat16* gate,
                                                         const Bfloat16* up, Bfloat16* gate_gradient,
                                                         Bfloat16* up_gradient) {
  const auto d = load<kPacket>(gradient), g = load<kPacket>(gate), u = load<kPacket>(up);
  Packet<kPacket> of_gate, of_up;
  for (int k = 0; k < kPacket; ++k) {
    const float value = wide(g.at[k]), s = sigmoid_of(value);
    of_gate.at[k] = narrow(wide(d.at[k]) * wide(u.at[k]) * s * (1.0F + value * (1.0F - s)));
    of_up.at[k] = narrow(wide(d.at[k]) * rounded(value * s));
  }
  store(of_gate, gate_gradient);
  store(of_up, up_gradient);
}

}  // namespace diptych::kernels
