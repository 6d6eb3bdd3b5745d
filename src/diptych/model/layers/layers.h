#pragma once
// The layers that the decoder, the ViT and the connector are made of: weights as plain structs, functions on tensors.

#include "diptych/tensor/torch.h"

#include <memory>

#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** A trained low-rank change of a frozen weight (Hu et al. 2021): weight = base + scale * up down. */
struct Adapter {
  Tensor down;  // [rank, in], float32: PEFT's lora_A
  Tensor up;    // [out, rank], float32: PEFT's lora_B
  double scale = 1;
  Tensor base;  // [out, in], the weight without it, in the host's memory
};

struct Linear {
  Tensor weight;                               // [out, in]; with an adapter the merged one
  Tensor bias;                                 // [out], undefined where the layer has none
  std::shared_ptr<Adapter> adapter = nullptr;  // null: the layer has none. See model/bagel/adapters.h
};

struct LayerNorm {
  Tensor weight;  // [width]
  Tensor bias;    // [width]
  double eps = 1e-6;
};

struct RmsNorm {
  Tensor weight;  // [width]
};

/** Layers whose tensors are on the meta device: shape without values, until a loader fills them. */
Linear make_linear(int64_t in, int64_t out, bool bias);
LayerNorm make_layer_norm(int64_t width, double eps);
RmsNorm make_rms_norm(int64_t width);

/** Appends the slots `prefix`.weight and, where there is one, `prefix`.bias. */
void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, Linear& layer);
void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, LayerNorm& layer);
void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, RmsNorm& layer);

/** x W^T + b for x [rows, in], with an adapter too: gradients go to the adapter as if its product were added to the
 *  output, at the cost of its rank. On the CPU fewer than 16 rows are padded with zeros: MKL takes other kernels there,
 *  and a row would depend on the size of its batch. */
Tensor linear(const Tensor& x, const Linear& layer);

/** LayerNorm over the last dimension. */
Tensor layer_norm(const Tensor& x, const LayerNorm& layer);

/** x / sqrt(mean(x^2) + eps) * weight over the last dimension, any leading ones. The normalised value is computed in
 *  float32 (float64 for float64) and cast to x's dtype before the weight is multiplied (Bagel qwen2_navit.py
 *  Qwen2RMSNorm). In one pass over memory where model/layers/fused_kernels.h has it. */
Tensor rms_norm(const Tensor& x, const Tensor& weight, double eps);

/** SwiGLU product silu(gate) * up, equal shapes. Fused (model/layers/fused_kernels.h), only the inputs are kept for the
 *  backward pass. */
Tensor silu_mul(const Tensor& gate, const Tensor& up);

}  // namespace diptych
