// rms_norm and silu_mul of layers.h: fused where the device has kernels for them, elsewhere ATen. Without gradients no
// node of autograd is built: it would take the host as long as the launch.

#include "diptych/model/layers/fused_kernels.h"
#include "diptych/model/layers/layers.h"
#include "diptych/tensor/autograd.h"

namespace diptych {

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct NormedRows {
  Tensor y, inverse_rms;
};

NormedRows fused_rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  NormedRows out{at::empty_like(x), inverse_rms_like(x, x.numel() / weight.numel())};
  fused_kernels(x, weight)->rms_norm(x, weight, eps, out.y, out.inverse_rms);
  return out;
}

class FusedRmsNorm : public torch::autograd::Function<FusedRmsNorm> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& weight, double eps) {
    const Tensor x = input.contiguous();
    const auto [y, inverse_rms] = fused_rms_norm(x, weight, eps);
    context->save_for_backward({x, weight, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    refuse_second_gradients();
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &inverse_rms = saved[2];
    const FusedKernels& kernels = *fused_kernels(x, weight);
    const Tensor gradient = gradients[0].contiguous();
    Tensor x_gradient, weight_gradient;
    if (context->needs_input_grad(0)) {
      x_gradient = at::empty_like(x);
      kernels.rms_norm_gradient(gradient, x, weight, inverse_rms, x_gradient);
    }
    if (context->needs_input_grad(1)) {
      weight_gradient = at::empty_like(weight);
      kernels.rms_norm_weight_gradient(gradient, x, inverse_rms, weight_gradient);
    }
    return {x_gradient, weight_gradient, Tensor()};
  }
};

Tensor fused_silu_mul(const Tensor& gate, const Tensor& up) {
  const Tensor y = at::empty_like(gate);
  fused_kernels(gate, up)->silu_mul(gate, up, y);
  return y;
}

class FusedSiluMul : public torch::autograd::Function<FusedSiluMul> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& gate_in, const Tensor& up_in) {
    const Tensor gate = gate_in.contiguous(), up = up_in.contiguous();
    context->save_for_backward({gate, up});
    return fused_silu_mul(gate, up);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    refuse_second_gradients();
    const variable_list saved = context->get_saved_variables();
    const Tensor &gate = saved[0], &up = saved[1];
    const Tensor gate_gradient = at::empty_like(gate), up_gradient = at::empty_like(up);
    fused_kernels(gate, up)->silu_mul_gradient(gradients[0].contiguous(), gate, up, gate_gradient, up_gradient);
    return {gate_gradient, up_gradient};
  }
};

}  // namespace

Tensor inverse_rms_like(const Tensor& x, int64_t rows) {
  return at::empty({rows}, x.options().dtype(x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
}

Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && x.size(-1) == weight.size(0), "rms_norm: input ", x.sizes(), ", weight ",
              weight.sizes());
  if (fused_kernels(x, weight) == nullptr) return at::rms_norm(x, {x.size(-1)}, std::nullopt, eps).mul(weight);
  if (!at::GradMode::is_enabled()) return fused_rms_norm(x.contiguous(), weight, eps).y;
  return FusedRmsNorm::apply(x, weight, eps);
}

Tensor silu_mul(const Tensor& gate, const Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes(), "silu_mul: gate ", gate.sizes(), ", up ", up.sizes());
  if (fused_kernels(gate, up) == nullptr) return at::silu(gate).mul(up);
  if (!at::GradMode::is_enabled()) return fused_silu_mul(gate.contiguous(), up.contiguous());
  return FusedSiluMul::apply(gate, up);
}

}  // namespace diptych
