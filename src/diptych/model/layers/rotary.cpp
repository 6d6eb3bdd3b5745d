#include "diptych/model/layers/rotary.h"

#include "diptych/model/layers/fused_kernels.h"
#include "diptych/tensor/autograd.h"

namespace diptych {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct RotatedHeads {
  Tensor y, inverse_rms;
};

RotatedHeads fused_norm_rotate(const Tensor& x, const Tensor& weight, double eps, const Rotation& rotation) {
  RotatedHeads out{at::empty_like(x), inverse_rms_like(x, x.size(0) * x.size(1))};
  fused_kernels(x, weight)->norm_rotate(x, weight, eps, rotation, out.y, out.inverse_rms);
  return out;
}

class FusedNormRotate : public torch::autograd::Function<FusedNormRotate> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, double eps,
                        const Tensor& cosine, const Tensor& sine) {
    const Tensor x = input.contiguous();
    const auto [y, inverse_rms] = fused_norm_rotate(x, weight, eps, {cosine, sine});
    context->save_for_backward({x, weight, cosine, sine, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    refuse_second_gradients();
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse_rms = saved[4];
    const FusedKernels& kernels = *fused_kernels(x, weight);
    const Tensor x_gradient = at::empty_like(x);
    Tensor n_gradient, weight_gradient;
    if (context->needs_input_grad(1)) n_gradient = at::empty_like(x);
    kernels.norm_rotate_gradient(gradients[0].contiguous(), x, weight, inverse_rms, {saved[2], saved[3]}, x_gradient,
                                 n_gradient);
    if (n_gradient.defined()) {
      weight_gradient = at::empty_like(weight);
      kernels.rms_norm_weight_gradient(n_gradient, x, inverse_rms, weight_gradient);
    }
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
  const int64_t rows = heads.size(0), width = heads.size(2);
  TORCH_CHECK(norm.weight.sizes() == at::IntArrayRef({width}) &&
                  rotation.cosine.sizes() == at::IntArrayRef({rows, width}) &&
                  rotation.sine.sizes() == rotation.cosine.sizes(),
              "norm_rotate: heads ", heads.sizes(), ", weight ", norm.weight.sizes(), ", cosines ",
              rotation.cosine.sizes(), ", sines ", rotation.sine.sizes());
  if (fused_kernels(heads, norm.weight) == nullptr) {
    const Tensor normed = rms_norm(heads, norm.weight, eps);
    return normed * rotation.cosine.unsqueeze(1) + normed.roll(width / 2, 2) * rotation.sine.unsqueeze(1);
  }
  if (!at::GradMode::is_enabled()) return fused_norm_rotate(heads.contiguous(), norm.weight, eps, rotation).y;
  return FusedNormRotate::apply(heads, norm.weight, eps, rotation.cosine, rotation.sine);
}

}  // namespace diptych
