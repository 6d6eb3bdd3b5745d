#pragma once
// Launches of the CUDA kernels. Plain pointers to contiguous memory of the device, aligned to 16 bytes; widths and
// counts are multiples of kPacket. `stream` is a cudaStream_t. They return what CUDA said of the launch, null if all is
// well.

#include "diptych/kernels/row_math.h"

namespace diptych::kernels {

/** rms_norm_row for each of `rows`. */
const char* rms_norm(const Bfloat16* x, const Bfloat16* weight, int64_t rows, int width, float eps, Bfloat16* y,
                     float* inverse_rms, void* stream);

const char* rms_norm_gradient(const Bfloat16* gradient, const Bfloat16* x, const Bfloat16* weight,
                              const float* inverse_rms, int64_t rows, int width, Bfloat16* x_gradient, void* stream);

/** Rows that one part of rms_norm_weight_gradient sums: so few that a few thousand keep a whole GPU busy. */
inline constexpr int64_t kPartRows = 64;

/** parts [ceil(rows / kPartRows), width]: their sum over the parts is the gradient of the weight. */
const char* rms_norm_weight_gradient(const Bfloat16* gradient, const Bfloat16* x, const float* inverse_rms,
                                     int64_t rows, int width, float* parts, void* stream);

/** norm_rotate_row for `heads` heads of each of `rows`, which have one row of cosines and sines. */
const char* norm_rotate(const Bfloat16* x, const Bfloat16* weight, int64_t rows, int heads, int width, float eps,
                        const Bfloat16* cosine, const Bfloat16* sine, Bfloat16* y, float* inverse_rms, void* stream);

const char* norm_rotate_gradient(const Bfloat16* gradient, const Bfloat16* x, const Bfloat16* weight,
                                 const float* inverse_rms, int64_t rows, int heads, int width, const Bfloat16* cosine,
                                 const Bfloat16* sine, Bfloat16* x_gradient, Bfloat16* n_gradient, void* stream);

const char* silu_mul(const Bfloat16* gate, const Bfloat16* up, int64_t count, Bfloat16* y, void* stream);

const char* silu_mul_gradient(const Bfloat16* gradient, const Bfloat16* gate, const Bfloat16* up, int64_t count,
                              Bfloat16* gate_gradient, Bfloat16* up_gradient, void* stream);

}  // namespace diptych::kernels
