// rms_norm and silu_mul of layers.h: on the CPU one pass over memory each way, elsewhere ATen.

#include "diptych/tensor/torch.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "diptych/model/layers.h"

// Two versions of a function, chosen when the program starts. AVX2 without FMA rounds like the plain version, so the
// results are the same bits on every x86 machine.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__clang__)
#define DIPTYCH_AVX2_CLONE __attribute__((target_clones("default", "avx2")))
#else
#define DIPTYCH_AVX2_CLONE
#endif

namespace diptych {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr int64_t kLanes = 16;       // independent sums, so that the compiler can use vector registers
constexpr int64_t kGrain = 1 << 15;  // numbers per task: ATen's own grain
constexpr int64_t kBlockRows = 64;   // rows summed before they join the total, which keeps float32 sums accurate

// Every float32 and float64 tensor on the CPU; the loops below are called with contiguous pointers.
bool has_fused_loops(const Tensor& x) {
  return x.is_cpu() && (x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble);
}

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

template <class T>
void rms_norm_forward(const Tensor& x, const Tensor& weight, double eps, Tensor& y, Tensor& inverse_rms) {
  const int64_t width = weight.numel();
  const T* x_data = x.const_data_ptr<T>();
  const T* w = weight.const_data_ptr<T>();
  T* y_data = y.mutable_data_ptr<T>();
  T* inverse = inverse_rms.mutable_data_ptr<T>();
  at::parallel_for(0, inverse_rms.numel(), row_grain(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      const T* in = x_data + row * width;
      T* out = y_data + row * width;
      const T scale = T(1) / std::sqrt(dot(in, in, width) / static_cast<T>(width) + static_cast<T>(eps));
      for (int64_t i = 0; i < width; ++i) out[i] = in[i] * scale * w[i];
      inverse[row] = scale;
    }
  });
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

class FusedRmsNorm : public torch::autograd::Function<FusedRmsNorm> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, double eps) {
    const Tensor x = input.contiguous();
    Tensor y = at::empty_like(x);
    Tensor inverse_rms = at::empty({x.numel() / weight.numel()}, x.options());
    if (x.scalar_type() == at::kFloat) {
      rms_norm_forward<float>(x, weight, eps, y, inverse_rms);
    } else {
      rms_norm_forward<double>(x, weight, eps, y, inverse_rms);
    }
    context->save_for_backward({x, weight, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse_rms = saved[2];
    const Tensor gradient = gradients[0].contiguous();
    const bool is_float = x.scalar_type() == at::kFloat;
    Tensor x_gradient, weight_gradient;
    if (context->needs_input_grad(0)) {
      x_gradient = at::empty_like(x);
      is_float ? rms_norm_input_gradient<float>(gradient, x, weight, inverse_rms, x_gradient)
               : rms_norm_input_gradient<double>(gradient, x, weight, inverse_rms, x_gradient);
    }
    if (context->needs_input_grad(1)) {
      weight_gradient = at::zeros_like(weight);
      is_float ? rms_norm_weight_gradient<float>(gradient, x, inverse_rms, weight_gradient)
               : rms_norm_weight_gradient<double>(gradient, x, inverse_rms, weight_gradient);
    }
    return {x_gradient, weight_gradient, Tensor()};
  }
};

inline double exponential(double x) {
  return std::exp(x);
}

// e^x = 2^k e^r with |r| <= ln(2) / 2 and a Taylor polynomial for e^r, for |x| clamped to 87: within 2 units in the
// last place. Branch-free, and clamped through the bits, so that the compiler can vectorise the loops that use it.
inline float exponential(float x) {
  constexpr float kLog2E = 1.44269504F, kLn2High = 0.693359375F, kLn2Low = -2.12194440e-4F;
  constexpr float kRounder = 12582912.0F;  // 1.5 * 2^23: adding it rounds to an integer in the low mantissa bits
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  const int32_t magnitude = std::min(static_cast<int32_t>(bits & 0x7fffffffU), std::bit_cast<int32_t>(87.0F));
  const float clamped = std::bit_cast<float>((bits & 0x80000000U) | static_cast<uint32_t>(magnitude));
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
  const uint32_t exponent = std::bit_cast<uint32_t>(shifted) - std::bit_cast<uint32_t>(kRounder);
  return std::bit_cast<float>(std::bit_cast<uint32_t>(p) + (exponent << 23));
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
void silu_mul_forward(const Tensor& gate, const Tensor& up, Tensor& y) {
  const T* g = gate.const_data_ptr<T>();
  const T* u = up.const_data_ptr<T>();
  T* out = y.mutable_data_ptr<T>();
  at::parallel_for(0, y.numel(), kGrain,
                   [&](int64_t begin, int64_t end) { silu_mul_range(g + begin, u + begin, out + begin, end - begin); });
}

template <class T>
void silu_mul_backward(const Tensor& gradient, const Tensor& gate, const Tensor& up, Tensor& gate_gradient,
                       Tensor& up_gradient) {
  const T* d = gradient.const_data_ptr<T>();
  const T* g = gate.const_data_ptr<T>();
  const T* u = up.const_data_ptr<T>();
  T* dg = gate_gradient.mutable_data_ptr<T>();
  T* du = up_gradient.mutable_data_ptr<T>();
  at::parallel_for(0, gradient.numel(), kGrain, [&](int64_t begin, int64_t end) {
    silu_mul_gradient_range(d + begin, g + begin, u + begin, dg + begin, du + begin, end - begin);
  });
}

class FusedSiluMul : public torch::autograd::Function<FusedSiluMul> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gate_in, const Tensor& up_in) {
    const Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    Tensor y = at::empty_like(gate);
    gate.scalar_type() == at::kFloat ? silu_mul_forward<float>(gate, up, y) : silu_mul_forward<double>(gate, up, y);
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &up = saved[1];
    const Tensor gradient = gradients[0].contiguous();
    Tensor gate_gradient = at::empty_like(gate), up_gradient = at::empty_like(up);
    gate.scalar_type() == at::kFloat ? silu_mul_backward<float>(gradient, gate, up, gate_gradient, up_gradient)
                                     : silu_mul_backward<double>(gradient, gate, up, gate_gradient, up_gradient);
    return {gate_gradient, up_gradient};
  }
};

}  // namespace

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && x.size(-1) == weight.size(0), "rms_norm: input ", x.sizes(), ", weight ",
              weight.sizes());
  if (has_fused_loops(x) && weight.scalar_type() == x.scalar_type()) return FusedRmsNorm::apply(x, weight, eps);
  return at::rms_norm(x, {x.size(-1)}, std::nullopt, eps).mul(weight);
}

Tensor silu_mul(const Tensor& gate, const Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(), "silu_mul: gate ", gate.sizes(), ", up ", up.sizes());
  if (has_fused_loops(gate) && up.scalar_type() == gate.scalar_type()) return FusedSiluMul::apply(gate, up);
  return at::silu(gate).mul(up);
}

}  // namespace diptych
