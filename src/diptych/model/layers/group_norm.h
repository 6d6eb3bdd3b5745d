#pragma once
// GroupNorm and the SiLU behind it, as the autoencoder has them in every block.

#include "diptych/tensor/torch.h"

namespace diptych {

struct GroupNormStep {
  int64_t groups = 0;
  Tensor weight;  // [C], as the bias
  Tensor bias;
  double eps = 0;
  bool with_silu = false;
};

/** GroupNorm over images [N, C, H, W], then SiLU where `with_silu`. On the CPU without
 * gradients, float32 and float64 run in one fused loop over images that lie channels last; an image's bits depend on
 * neither its batch nor the number of threads, which ATen's kernel for that layout does not promise. */
Tensor group_norm(const Tensor& images, const GroupNormStep& step);

}  // namespace diptych
