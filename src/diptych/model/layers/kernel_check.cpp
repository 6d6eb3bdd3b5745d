#include "diptych/tensor/autograd.h"

#include "diptych/model/layers/kernel_check.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/model/layers/fused_kernels.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

constexpr double kEps = 1e-6;
// Of an element and the root mean square of all: bfloat16 rounds each of a few operations by 2^-9 at most.
constexpr double kTolerance = 3e-2;

using Tensors = std::vector<Tensor>;

struct CheckedLayer {
  const char* name;
  std::vector<std::vector<int64_t>> inputs;  // shapes
  Tensor (*run)(const Tensors& inputs);
};

Tensor rotated(const Tensors& inputs) {
  const at::TensorOptions options = inputs[0].options().requires_grad(false);
  const Tensor positions = at::arange(inputs[0].size(0), options.dtype(at::kLong));
  return norm_rotate(inputs[0], {inputs[1]}, kEps, rotation(positions, inputs[0].size(2), 1e4, options));
}

const std::vector<CheckedLayer>& checked_layers() {
  static const std::vector<CheckedLayer> layers = {
      {"rms_norm", {{300, 1032}, {1032}}, [](const Tensors& in) { return rms_norm(in[0], in[1], kEps); }},
      {"norm_rotate", {{67, 5, 128}, {128}}, rotated},
      {"norm_rotate of other widths", {{9, 3, 24}, {24}}, rotated},
      {"silu_mul", {{33, 264}, {33, 264}}, [](const Tensors& in) { return silu_mul(in[0], in[1]); }}};
  return layers;
}

/** Empty, or how far the worst element is off. */
std::string difference(const Tensor& actual, const Tensor& expected, const std::string& what) {
  const Tensor size = expected.abs() + expected.square().mean().sqrt();
  const double relative = (actual.to(at::kCPU, at::kDouble) - expected).abs().div(size).max().item<double>();
  if (relative <= kTolerance) return "";  // false for NaN
  return cat(what, " is off by ", relative, " of its size");
}

/** trained: the gradients of all inputs; otherwise of the first alone, as beside frozen weights. */
std::string layer_damage(const CheckedLayer& layer, at::Device device, bool trained) {
  const auto draw = [](uint64_t address, at::IntArrayRef shape) {
    return normal_tensor({.seed = 1, .purpose = Purpose::test, .position = address}, shape).to(at::kBFloat16);
  };
  Tensors here, there;
  for (size_t i = 0; i < layer.inputs.size(); ++i) {
    const Tensor input = draw(i, layer.inputs[i]);
    here.push_back(input.to(at::kDouble).requires_grad_(trained || i == 0));
    there.push_back(input.to(device).requires_grad_(trained || i == 0));
  }
  const Tensor expected = layer.run(here), actual = layer.run(there);
  if (const std::string damage = difference(actual.detach(), expected.detach(), "the output"); !damage.empty())
    return cat(layer.name, ": ", damage);
  const Tensor slope = draw(layer.inputs.size(), expected.sizes());
  if (!trained) {
    here.resize(1);
    there.resize(1);
  }
  const Tensors exact = torch::autograd::grad({expected}, here, {slope.to(at::kDouble)});
  const Tensors gradients = torch::autograd::grad({actual}, there, {slope.to(device)});
  for (size_t i = 0; i < exact.size(); ++i) {
    const std::string damage = difference(gradients[i], exact[i], cat("gradient ", i));
    if (!damage.empty()) return cat(layer.name, ": ", damage);
  }
  return "";
}

}  // namespace

std::string kernel_damage(at::Device device) {
  if (!has_fused_kernels(device.type())) return "";
  const at::AutoGradMode with_gradients(true);
  for (const CheckedLayer& layer : checked_layers()) {
    for (const bool trained : {true, false}) {
      try {
        if (const std::string damage = layer_damage(layer, device, trained); !damage.empty()) return damage;
      } catch (const c10::Error& error) {  // such as kernels for other cards than this
        return cat(layer.name, ": ", error.what_without_backtrace());
      }
    }
  }
  return "";
}

void require_sound_kernels(at::Device device, at::ScalarType dtype) {
  if (dtype != at::kBFloat16) return;
  if (const std::string damage = kernel_damage(device); !damage.empty())
    throw Error(ExitCode::internal,
                {device.str(), "fused layers that compute what float64 does on the CPU", damage, kKernelRemedy});
}

}  // namespace diptych
