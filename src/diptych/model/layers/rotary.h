#pragma once
// Rotary position embedding of queries and keys, with the RMSNorm in front of it.

#include "diptych/model/layers/layers.h"

namespace diptych {

struct Rotation {
  Tensor cosine;  // [rows, d]
  Tensor sine;    // [rows, d], first half negated: rotate-half becomes one exchange of halves
};

/** Angles position * theta^(-2 i / d) of each row, in float32 whatever the compute dtype (float64 for float64), as the
 *  official code has them; cosines are cast once to `options` (Qwen2 rotary embedding, bagel.md 3). */
Rotation rotation(const Tensor& positions, int64_t head_dim, double theta, const at::TensorOptions& options);

/** Rows [begin, begin + count). */
Rotation narrow(const Rotation& rotation, int64_t begin, int64_t count);

/** n cos + rotate_half(n) sin with n = rms_norm(heads, weight, eps) and rotate_half(n) = [-n2, n1]; heads [rows, H, d],
 *  weight [d]. In one pass over memory where model/layers/fused_kernels.h has it. */
Tensor norm_rotate(const Tensor& heads, const RmsNorm& norm, double eps, const Rotation& rotation);

}  // namespace diptych
