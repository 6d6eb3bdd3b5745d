// The fused layers on the CPU: one pass over memory each way, in float32 and float64.

#include "diptych/tensor/torch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "diptych/model/layers/fused_kernels.h"
#include "diptych/model/layers/vector_clones.h"
#include "diptych/model/layers/vector_exponential.h"

namespace diptych {

namespace {

constexpr int64_t kLanes = 16;       // independent sums, so that the compiler can use vector registers
constexpr int64_t kGrain = 1 << 15;  // numbers per task: ATen's own grain
constexpr int64_t kBlockRows = 64;   // rows summed before they join the total, which keeps float32 sums accurate

int64_t row_grain(int64_t width) {
  return std::max<int64_t>(1, kGrain / width);
}

template <class T>
T dot(const T* a, const T* b, int64_t count) {
  std::array<T, kLanes> sums{};
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
    for (int64_t lane = 0; lane < kLanes; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  T total = 0;
  for (; i < count; ++i) total += a[i] * b[i];
  for (const T sum : sums) total += sum;
  return total;
}

/** 1 / sqrt(mean(x^2) + eps) of one row. */
template <class T>
T inverse_rms_of(const T* row, int64_t width, double eps) {
  return T(1) / std::sqrt(dot(row, row, width) / static_cast<T>(width) + static_cast<T>(eps));
}

template <class T>
void rms_norm_forward(const Tensor& x, const Tensor& weight, double eps, const Tensor& y, const Tensor& inverse_rms) {
  const int64_t width = weight.numel();
  const T* x_data = x.const_data_ptr<T>();
  const T* w = weight.const_data_ptr<T>();
  T* y_data = y.mutable_data_ptr<T>();
  T* inverse = inverse_rms.mutable_data_ptr<T>();
  at::parallel_for(0, inverse_rms.numel(), row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x_data + row * width;
      T* out = y_data + row * width;
      const T scale = inverse_rms_of(in, width, eps);
      for (int64_t i = 0; i < width; ++i) out[i] = in[i] * scale * w[i];
      inverse[row] = scale;
    }
  });
}

// With n = x s, s = inverse rms: dx = s (g w - n mean(g w n)).
template <class T>
void rms_norm_input_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                             const Tensor& x_gradient) {
  const int64_t width = weight.numel();
  const T* g_data = gradient.const_data_ptr<T>();
  const T* x_data = x.const_data_ptr<T>();
  const T* w = weight.const_data_ptr<T>();
  const T* inverse = inverse_rms.const_data_ptr<T>();
  T* out_data = x_gradient.mutable_data_ptr<T>();
  at::parallel_for(0, inverse_rms.numel(), row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* g = g_data + row * width;
      const T* in = x_data + row * width;
      T* out = out_data + row * width;
      const T scale = inverse[row];
      for (int64_t i = 0; i < width; ++i) out[i] = g[i] * w[i];
      const T pull = dot(out, in, width) / static_cast<T>(width) * scale * scale;
      for (int64_t i = 0; i < width; ++i) out[i] = scale * (out[i] - in[i] * pull);
    }
  });
}

// dw = sum over rows of g n, each column in the order of the rows whatever the number of threads.
template <class T>
void sum_weight_gradient(const Tensor& gradient, const Tensor& x, const Tensor& inverse_rms,
                         const Tensor& weight_gradient) {
  weight_gradient.zero_();
  const int64_t width = weight_gradient.numel();
  const int64_t rows = inverse_rms.numel();
  const T* g_data = gradient.const_data_ptr<T>();
  const T* x_data = x.const_data_ptr<T>();
  const T* inverse = inverse_rms.const_data_ptr<T>();
  T* total = weight_gradient.mutable_data_ptr<T>();
  at::parallel_for(0, width, std::max(kLanes, kGrain / std::max<int64_t>(1, rows)), [&](int64_t begin, int64_t end) {
    std::vector<T> block(end - begin);
    for (int64_t first = 0; first < rows; first += kBlockRows) {
      std::fill(block.begin(), block.end(), T(0));
      for (int64_t row = first; row < std::min(rows, first + kBlockRows); ++row) {
        const T* g = g_data + row * width + begin;
        const T* in = x_data + row * width + begin;
        const T scale = inverse[row];
        for (int64_t i = 0; i < end - begin; ++i) block[i] += g[i] * (in[i] * scale);
      }
      for (int64_t i = 0; i < end - begin; ++i) total[begin + i] += block[i];
    }
  });
}

template <class T>
void norm_rotate_forward(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation, const Tensor& y,
                         const Tensor& inverse_rms) {
  const int64_t heads = x.size(1), width = x.size(2), half = width / 2;
  const T* w = weight.const_data_ptr<T>();
  const T* x_data = x.const_data_ptr<T>();
  const T* cosines = rotation.cosine.const_data_ptr<T>();
  const T* sines = rotation.sine.const_data_ptr<T>();
  T* y_data = y.mutable_data_ptr<T>();
  T* inverse = inverse_rms.mutable_data_ptr<T>();
  at::parallel_for(0, x.size(0), row_grain(heads * width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * heads; row < end * heads; ++row) {
      const T* in = x_data + row * width;
      const T* c = cosines + row / heads * width;
      const T* s = sines + row / heads * width;
      T* out = y_data + row * width;
      const T scale = inverse_rms_of(in, width, eps);
      for (int64_t i = 0; i < half; ++i) {
        const T first = in[i] * scale * w[i], second = in[i + half] * scale * w[i + half];
        out[i] = first * c[i] + second * s[i];
        out[i + half] = second * c[i + half] + first * s[i + half];
      }
      inverse[row] = scale;
    }
  });
}

// The gradient of what was rotated.
template <class T>
void rotate_back(const Tensor& gradient, const Rotation& rotation, const Tensor& out_gradient) {
  const int64_t heads = gradient.size(1), width = gradient.size(2), half = width / 2;
  const T* g_data = gradient.const_data_ptr<T>();
  const T* cosines = rotation.cosine.const_data_ptr<T>();
  const T* sines = rotation.sine.const_data_ptr<T>();
  T* out_data = out_gradient.mutable_data_ptr<T>();
  at::parallel_for(0, gradient.size(0), row_grain(heads * width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin * heads; row < end * heads; ++row) {
      const T* g = g_data + row * width;
      const T* c = cosines + row / heads * width;
      const T* s = sines + row / heads * width;
      T* out = out_data + row * width;
      for (int64_t i = 0; i < half; ++i) {
        out[i] = g[i] * c[i] + g[i + half] * s[i + half];
        out[i + half] = g[i + half] * c[i + half] + g[i] * s[i];
      }
    }
  });
}

template <class T>
inline T sigmoid(T x) {
  return T(1) / (T(1) + exponential(-x));
}

// Loops over plain pointers, which g++ vectorises.
template <class T>
DIPTYCH_AVX2_CLONE void silu_mul_range(const T* g, const T* u, T* out, int64_t count) {
  for (int64_t i = 0; i < count; ++i) out[i] = g[i] * sigmoid(g[i]) * u[i];
}

template <class T>
DIPTYCH_AVX2_CLONE void silu_mul_gradient_range(const T* d, const T* g, const T* u, T* dg, T* du, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const T s = sigmoid(g[i]);
    dg[i] = d[i] * u[i] * s * (T(1) + g[i] * (T(1) - s));
    du[i] = d[i] * g[i] * s;
  }
}

template <class T>
void silu_mul_forward(const Tensor& gate, const Tensor& up, const Tensor& y) {
  const T* g = gate.const_data_ptr<T>();
  const T* u = up.const_data_ptr<T>();
  T* out = y.mutable_data_ptr<T>();
  at::parallel_for(0, y.numel(), kGrain,
                   [&](int64_t begin, int64_t end) { silu_mul_range(g + begin, u + begin, out + begin, end - begin); });
}

template <class T>
void silu_mul_backward(const Tensor& gradient, const Tensor& gate, const Tensor& up, const Tensor& gate_gradient,
                       const Tensor& up_gradient) {
  const T* d = gradient.const_data_ptr<T>();
  const T* g = gate.const_data_ptr<T>();
  const T* u = up.const_data_ptr<T>();
  T* dg = gate_gradient.mutable_data_ptr<T>();
  T* du = up_gradient.mutable_data_ptr<T>();
  at::parallel_for(0, gradient.numel(), kGrain, [&](int64_t begin, int64_t end) {
    silu_mul_gradient_range(d + begin, g + begin, u + begin, dg + begin, du + begin, end - begin);
  });
}

template <class Loop>
void in_type_of(const Tensor& x, const Loop& loop) {
  x.scalar_type() == at::kFloat ? loop(float()) : loop(double());
}

void rms_norm(const Tensor& x, const Tensor& weight, double eps, const Tensor& y, const Tensor& inverse_rms) {
  in_type_of(x, [&](auto zero) { rms_norm_forward<decltype(zero)>(x, weight, eps, y, inverse_rms); });
}

void rms_norm_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                       const Tensor& x_gradient) {
  in_type_of(x,
             [&](auto zero) { rms_norm_input_gradient<decltype(zero)>(gradient, x, weight, inverse_rms, x_gradient); });
}

void rms_norm_weight_gradient(const Tensor& gradient, const Tensor& x, const Tensor& inverse_rms,
                              const Tensor& weight_gradient) {
  in_type_of(x, [&](auto zero) { sum_weight_gradient<decltype(zero)>(gradient, x, inverse_rms, weight_gradient); });
}

void norm_rotate(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation, const Tensor& y,
                 const Tensor& inverse_rms) {
  in_type_of(x, [&](auto zero) { norm_rotate_forward<decltype(zero)>(x, weight, eps, rotation, y, inverse_rms); });
}

void norm_rotate_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                          const Rotation& rotation, const Tensor& x_gradient, const Tensor& n_gradient) {
  const Tensor back = n_gradient.defined() ? n_gradient : at::empty_like(gradient);
  in_type_of(x, [&](auto zero) { rotate_back<decltype(zero)>(gradient, rotation, back); });
  rms_norm_gradient(back, x, weight, inverse_rms, x_gradient);
}

void silu_mul(const Tensor& gate, const Tensor& up, const Tensor& y) {
  in_type_of(gate, [&](auto zero) { silu_mul_forward<decltype(zero)>(gate, up, y); });
}

void silu_mul_gradient(const Tensor& gradient, const Tensor& gate, const Tensor& up, const Tensor& gate_gradient,
                       const Tensor& up_gradient) {
  in_type_of(gate,
             [&](auto zero) { silu_mul_backward<decltype(zero)>(gradient, gate, up, gate_gradient, up_gradient); });
}

}  // namespace

const FusedKernels& cpu_kernels() {
  static constexpr FusedKernels kernels = {rms_norm,         rms_norm_gradient,    rms_norm_weight_gradient,
                                           norm_rotate,      norm_rotate_gradient, silu_mul,
                                           silu_mul_gradient};
  return kernels;
}

}  // namespace diptych
