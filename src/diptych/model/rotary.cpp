#include "diptych/model/rotary.h"

#include "diptych/model/rms_norm_loops.h"
#include "diptych/tensor/autograd.h"

namespace diptych {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class T>
void forward_loop(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation, Tensor& y,
                  Tensor& inverse_rms) {
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
void rotate_back(const Tensor& gradient, const Rotation& rotation, Tensor& out_gradient) {
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

class FusedNormRotate : public torch::autograd::Function<FusedNormRotate> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, double eps,
                        const Tensor& cosine, const Tensor& sine) {
    const Tensor x = input.contiguous();
    Tensor y = at::empty_like(x);
    Tensor inverse_rms = at::empty({x.size(0) * x.size(1)}, x.options());
    const auto loop = x.scalar_type() == at::kFloat ? forward_loop<float> : forward_loop<double>;
    loop(x, weight, eps, {cosine, sine}, y, inverse_rms);
    context->save_for_backward({x, weight, cosine, sine, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse_rms = saved[4];
    const Rotation rotation{saved[2], saved[3]};
    const bool is_float = x.scalar_type() == at::kFloat;
    const Tensor upstream = gradients[0].contiguous();
    Tensor gradient = at::empty_like(upstream);
    is_float ? rotate_back<float>(upstream, rotation, gradient) : rotate_back<double>(upstream, rotation, gradient);
    Tensor weight_gradient;
    if (context->needs_input_grad(1)) {
      weight_gradient = at::zeros_like(weight);
      is_float ? rms_norm_weight_gradient<float>(gradient, x, inverse_rms, weight_gradient)
               : rms_norm_weight_gradient<double>(gradient, x, inverse_rms, weight_gradient);
    }
    Tensor x_gradient = at::empty_like(x);
    is_float ? rms_norm_input_gradient<float>(gradient, x, weight, inverse_rms, x_gradient)
             : rms_norm_input_gradient<double>(gradient, x, weight, inverse_rms, x_gradient);
    return {x_gradient, weight_gradient, Tensor(), Tensor(), Tensor()};
  }
};

}  // namespace

Rotation rotation(const Tensor& positions, int64_t head_dim, double theta, const at::TensorOptions& options) {
  const Tensor exponents =
      at::arange(head_dim / 2, positions.options().dtype(at::kFloat)).mul(2.0).div(static_cast<double>(head_dim));
  const Tensor frequencies = at::pow(at::full({}, theta, exponents.options()), exponents).reciprocal();
  const Tensor angles =
      at::outer(positions.to(at::kFloat), frequencies).to(options.dtype() == at::kDouble ? at::kDouble : at::kFloat);
  const Tensor cosine = angles.cos();
  const Tensor sine = angles.sin();
  return {at::cat({cosine, cosine}, 1).to(options), at::cat({-sine, sine}, 1).to(options)};
}

Rotation narrow(const Rotation& rotation, int64_t begin, int64_t count) {
  return {rotation.cosine.narrow(0, begin, count), rotation.sine.narrow(0, begin, count)};
}

Tensor norm_rotate(const Tensor& heads, const RmsNorm& norm, double eps, const Rotation& rotation) {
  if (has_fused_loops(heads) && norm.weight.scalar_type() == heads.scalar_type())
    return FusedNormRotate::apply(heads, norm.weight, eps, rotation.cosine, rotation.sine);
  const Tensor normed = rms_norm(heads, norm.weight, eps);
  return normed * rotation.cosine.unsqueeze(1) + normed.roll(heads.size(2) / 2, 2) * rotation.sine.unsqueeze(1);
}

}  // namespace diptych
