#pragma once
// What the CUDA kernels compute, row by row in bfloat16 with float32 inside, as functions that also compile for the
// host: so tests without a GPU run the same lines. Rounded to bfloat16 wherever the layers as ATen's operations would
// be.

#include <cmath>
#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define DIPTYCH_HOST_DEVICE __host__ __device__
#else
#define DIPTYCH_HOST_DEVICE
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

/** To the nearest, ties to even. */
DIPTYCH_HOST_DEVICE inline Bfloat16 narrow(float value) {
  if (value != value) return {0x7fc0};
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return {static_cast<uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16)};
}

DIPTYCH_HOST_DEVICE inline float rounded(float value) {
  return wide(narrow(value));
}

/** So many neighbours, which travel together. */
template <int N>
struct alignas(sizeof(Bfloat16) * N) Packet {
  Bfloat16 at[N];
};

constexpr int kPacket = 8;      // 16 bytes: the widest load there is
constexpr int kHeadPacket = 4;  // a head of 128 numbers is one packet for each lane of a warp

template <int N>
DIPTYCH_HOST_DEVICE inline Packet<N> load(const Bfloat16* from) {
  return *reinterpret_cast<const Packet<N>*>(from);
}

template <int N>
DIPTYCH_HOST_DEVICE inline void store(const Packet<N>& packet, Bfloat16* to) {
  *reinterpret_cast<Packet<N>*>(to) = packet;
}

// `Lanes` are the threads that share a row: number() of this one, count() of all, and sum(x), the same for all.

template <int N, class Lanes>
DIPTYCH_HOST_DEVICE inline float inverse_rms_of(const Lanes& lanes, const Bfloat16* x, int width, float eps) {
  float squares = 0;
  for (int i = lanes.number() * N; i < width; i += lanes.count() * N) {
    const auto in = load<N>(x + i);
    for (int k = 0; k < N; ++k) squares += wide(in.at[k]) * wide(in.at[k]);
  }
  return 1.0F / std::sqrt(lanes.sum(squares) / static_cast<float>(width) + eps);
}

/** y = narrow(x s) w with s = 1 / sqrt(mean(x^2) + eps), which goes to *inverse_rms. width: a multiple of kPacket. */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void rms_norm_row(const Lanes& lanes, const Bfloat16* x, const Bfloat16* weight, int width,
                                             float eps, Bfloat16* y, float* inverse_rms) {
  const float scale = inverse_rms_of<kPacket>(lanes, x, width, eps);
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

DIPTYCH_HOST_DEVICE inline int partner_of(int i, int width) {
  return i < width / 2 ? i + width / 2 : i - width / 2;
}

/** One head: y_i = n_i cos_i + n_j sin_i with n as in rms_norm_row and j the place half a head away. */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void norm_rotate_row(const Lanes& lanes, const Bfloat16* x, const Bfloat16* weight,
                                                int width, float eps, const Bfloat16* cosine, const Bfloat16* sine,
                                                Bfloat16* y, float* inverse_rms) {
  const float scale = inverse_rms_of<kHeadPacket>(lanes, x, width, eps);
  for (int i = lanes.number() * kHeadPacket; i < width; i += lanes.count() * kHeadPacket) {
    const int j = partner_of(i, width);
    const auto own = load<kHeadPacket>(x + i), other = load<kHeadPacket>(x + j);
    const auto own_weight = load<kHeadPacket>(weight + i), other_weight = load<kHeadPacket>(weight + j);
    const auto c = load<kHeadPacket>(cosine + i), s = load<kHeadPacket>(sine + i);
    Packet<kHeadPacket> out;
    for (int k = 0; k < kHeadPacket; ++k) {
      const float n = rounded(rounded(wide(own.at[k]) * scale) * wide(own_weight.at[k]));
      const float turned = rounded(rounded(wide(other.at[k]) * scale) * wide(other_weight.at[k]));
      out.at[k] = narrow(rounded(n * wide(c.at[k])) + rounded(turned * wide(s.at[k])));
    }
    store(out, y + i);
  }
  if (lanes.number() == 0) *inverse_rms = scale;
}

/** The gradient of what was rotated. */
struct RotatedBack {
  float at[kHeadPacket];
};

DIPTYCH_HOST_DEVICE inline RotatedBack rotated_back(const Bfloat16* gradient, const Bfloat16* cosine,
                                                    const Bfloat16* sine, int i, int j) {
  const auto own = load<kHeadPacket>(gradient + i), other = load<kHeadPacket>(gradient + j);
  const auto c = load<kHeadPacket>(cosine + i), s = load<kHeadPacket>(sine + j);
  RotatedBack out;
  for (int k = 0; k < kHeadPacket; ++k) out.at[k] = wide(own.at[k]) * wide(c.at[k]) + wide(other.at[k]) * wide(s.at[k]);
  return out;
}

/** Gradient of norm_rotate_row. n_gradient: that of n, for the weight's; null where nobody asks. */
template <class Lanes>
DIPTYCH_HOST_DEVICE inline void norm_rotate_gradient_row(const Lanes& lanes, const Bfloat16* gradient,
                                                         const Bfloat16* x, const Bfloat16* weight, float inverse_rms,
                                                         int width, const Bfloat16* cosine, const Bfloat16* sine,
                                                         Bfloat16* x_gradient, Bfloat16* n_gradient) {
  float product = 0;
  for (int i = lanes.number() * kHeadPacket; i < width; i += lanes.count() * kHeadPacket) {
    const RotatedBack g = rotated_back(gradient, cosine, sine, i, partner_of(i, width));
    const auto in = load<kHeadPacket>(x + i), w = load<kHeadPacket>(weight + i);
    for (int k = 0; k < kHeadPacket; ++k) product += g.at[k] * wide(w.at[k]) * wide(in.at[k]);
  }
  const float pull = lanes.sum(product) / static_cast<float>(width) * inverse_rms * inverse_rms;
  for (int i = lanes.number() * kHeadPacket; i < width; i += lanes.count() * kHeadPacket) {
    const RotatedBack g = rotated_back(gradient, cosine, sine, i, partner_of(i, width));
    const auto in = load<kHeadPacket>(x + i), w = load<kHeadPacket>(weight + i);
    Packet<kHeadPacket> out, normed;
    for (int k = 0; k < kHeadPacket; ++k) {
      out.at[k] = narrow(inverse_rms * (g.at[k] * wide(w.at[k]) - wide(in.at[k]) * pull));
      normed.at[k] = narrow(g.at[k]);
    }
    store(out, x_gradient + i);
    if (n_gradient != nullptr) store(normed, n_gradient + i);
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
