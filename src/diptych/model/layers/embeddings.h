#pragma once
// Fixed embeddings: the 2-D position tables and the sinusoid of the flow time.

#include "diptych/tensor/torch.h"

namespace diptych {

/** 2-D sin-cos table [side * side, dim], float32; row `row * side + column` belongs to that grid cell. The first half
 * of the width encodes the column, the second the row; each half is [sin, cos] of dim / 4 frequencies 10000^(-4 j /
 * dim). Computed in float64 and rounded once (Bagel modeling_utils.py get_2d_sincos_pos_embed). `dim` is a multiple
 * of 4. */
Tensor sincos_table(int64_t dim, int64_t side);

/** Sinusoid [n, dim] of flow times t [n] in [0, 1], which are not multiplied by 1000: [cos, sin] of t times dim / 2
 *  frequencies 10000^(-2 j / dim). float32, float64 for float64 times (Bagel modeling_utils.py timestep_embedding). */
Tensor time_sinusoid(const Tensor& times, int64_t dim);

}  // namespace diptych
