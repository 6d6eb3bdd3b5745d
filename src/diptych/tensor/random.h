#pragma once
// Addressed random numbers as tensors.

#include "diptych/tensor/torch.h"

#include "diptych/base/rng.h"

namespace diptych {

/** Standard normal numbers, float32 on the CPU: element i (row-major) is the i-th normal() of the stream, rounded.
 *  Large tensors are drawn on all threads, which changes no number. */
Tensor normal_tensor(const StreamKey& key, at::IntArrayRef shape);

/** Uniform numbers in [0, 1), float32 on the CPU: element i (row-major) is made of the upper 24 bits of the i-th
 *  next_u32() of the stream, so that none rounds up to 1. */
Tensor uniform_tensor(const StreamKey& key, at::IntArrayRef shape);

}  // namespace diptych
