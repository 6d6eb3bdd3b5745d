// rms_norm and silu_mul of layers.h: on the CPU one pass over memory each way, elsewhere ATen.

#include "diptych/tensor/autograd.h"

#include <ATen/Parallel.h>

#include "diptych/model/layers.h"
#include "diptych/model/rms_norm_loops.h"
#include "diptych/model/vector_clones.h"
#include "diptych/model/vector_exponential.h"

namespace diptych {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

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
      const T scale = inverse_rms_of(in, width, eps);
      for (int64_t i = 0; i < width; ++i) out[i] = in[i] * scale * w[i];
      inverse[row] = scale;
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
