#pragma once
// Loops of RMSNorm on the CPU, shared by the layers that begin with it.

#include "diptych/tensor/torch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <cmath>

namespace diptych {

constexpr int64_t kLanes = 16;       // independent sums, so that the compiler can use vector registers
constexpr int64_t kGrain = 1 << 15;  // numbers per task: ATen's own grain
constexpr int64_t kBlockRows = 64;   // rows summed before they join the total, which keeps float32 sums accurate

/** Every float32 and float64 tensor on the CPU; the loops below are called with contiguous pointers. */
inline bool has_fused_loops(const Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

inline int64_t row_grain(int64_t width) {
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

// With n = x s, s = inverse rms: dx = s (g w - n mean(g w n)).
template <class T>
void rms_norm_input_gradient(const Tensor& gradient, const Tensor& x, const Tensor& weight, const Tensor& inverse_rms,
                             Tensor& x_gradient) {
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
void rms_norm_weight_gradient(const Tensor& gradient, const Tensor& x, const Tensor& inverse_rms,
                              Tensor& weight_gradient) {
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

}  // namespace diptych
