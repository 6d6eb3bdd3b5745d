#include "diptych/model/layers.h"

namespace diptych {

namespace {

// From this many rows on, MKL computes a row of a product bit-identically in every batch (design note on randomness:
// measured on float32, widths 64 to 256, one and two threads).
constexpr int64_t kStableRows = 16;

Tensor meta(at::IntArrayRef shape) {
  return at::empty(shape, at::TensorOptions().device(at::kMeta));
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
  const std::optional<Tensor> bias = layer.bias.defined() ? std::optional(layer.bias) : std::nullopt;
  const int64_t rows = x.size(0);
  if (!x.is_cpu() || rows >= kStableRows) return at::linear(x, layer.weight, bias);
  return at::linear(at::constant_pad_nd(x, {0, 0, 0, kStableRows - rows}), layer.weight, bias).narrow(0, 0, rows);
}

Tensor layer_norm(const Tensor& x, const LayerNorm& layer) {
  return at::layer_norm(x, {x.size(-1)}, layer.weight, layer.bias, layer.eps);
}

}  // namespace diptych
