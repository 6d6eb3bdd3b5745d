#include "diptych/model/layers/layers.h"

#include <cstdlib>

#include "diptych/tensor/autograd.h"

namespace diptych {

namespace {

// From this many rows on, MKL computes a row of a product bit-identically in every batch: measured in float32, 3 to
// 1024 inputs, on Intel's kernels for AVX-512 and SSE and on those that other makers' processors get.
constexpr int64_t kStableRows = 16;

// Its kernels for Intel's AVX2 do so for no number of rows, unless it is told to before its first call. Nor are they
// slower then, as those for AVX-512 are at few rows.
const bool told_mkl = [] {
#ifdef __x86_64__
  const bool avx512 = __builtin_cpu_supports("avx512f") && std::getenv("MKL_ENABLE_INSTRUCTIONS") == nullptr;
  if (!avx512) setenv("MKL_CBWR", "AUTO,STRICT", 0);
#endif
  return true;
}();

Tensor meta(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions().device(at::kMeta));
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// The forward pass is the merged weight's, bit for bit what rollouts compute; only the backward pass knows the adapter.
// With u = x down^T: d up = scale g^T u, d down = scale (g up)^T x.
class AdaptedLinear : public torch::autograd::Function<AdaptedLinear> {
 public:
  static Tensor forward(AutogradContext* context, const Tensor& x, const Tensor& weight,
                        const std::optional<Tensor>& bias, const Tensor& down, const Tensor& up, double scale) {
    context->save_for_backward({x, weight, down, up});
    context->saved_data["scale"] = scale;
    return at::linear(x, weight, bias);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &x = saved[0], &weight = saved[1], &down = saved[2], &up = saved[3];
    const double scale = context->saved_data["scale"].toDouble();
    const Tensor& gradient = gradients[0];
    const at::ScalarType type = x.scalar_type();
    Tensor x_gradient;
    if (context->needs_input_grad(0)) x_gradient = at::mm(gradient, weight);
    const Tensor down_gradient = at::mm(at::mm(gradient, up.to(type)).t(), x).to(down.scalar_type()).mul_(scale);
    const Tensor up_gradient = at::mm(gradient.t(), at::mm(x, down.to(type).t())).to(up.scalar_type()).mul_(scale);
    return {x_gradient, Tensor(), Tensor(), down_gradient, up_gradient, Tensor()};
  }
};

Tensor product(const Tensor& x, const Linear& layer) {
  const std::optional<Tensor> bias = layer.bias.defined() ? std::optional(layer.bias) : std::nullopt;
  if (!layer.adapter || !at::GradMode::is_enabled()) return at::linear(x, layer.weight, bias);
  const Adapter& adapter = *layer.adapter;
  return AdaptedLinear::apply(x, layer.weight, bias, adapter.down, adapter.up, adapter.scale);
}

}  // namespace

Linear make_linear(int64_t in, int64_t out, bool bias) {
  return {meta({out, in}), bias ? meta({out}) : Tensor()};
}

LayerNorm make_layer_norm(int64_t width, double eps) {
  return {meta({width}), meta({width}), eps};
}

RmsNorm make_rms_norm(int64_t width) {
  return {meta({width})};
}

void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, Linear& layer) {
  slots.push_back({prefix + ".weight", &layer.weight});
  if (layer.bias.defined()) slots.push_back({prefix + ".bias", &layer.bias});
}

void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, LayerNorm& layer) {
  slots.push_back({prefix + ".weight", &layer.weight});
  slots.push_back({prefix + ".bias", &layer.bias});
}

void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, RmsNorm& layer) {
  slots.push_back({prefix + ".weight", &layer.weight});
}

Tensor linear(const Tensor& x, const Linear& layer) {
  const int64_t rows = x.size(0);
  if (!x.is_cpu() || rows >= kStableRows) return product(x, layer);
  return product(at::constant_pad_nd(x, {0, 0, 0, kStableRows - rows}), layer).narrow(0, 0, rows);
}

Tensor layer_norm(const Tensor& x, const LayerNorm& layer) {
  return at::layer_norm(x, {x.size(-1)}, layer.weight, layer.bias, layer.eps);
}

}  // namespace diptych
