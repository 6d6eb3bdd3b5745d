#pragma once
// The reduction that every log-probability and penalty of latents uses.

#include "diptych/tensor/torch.h"

namespace diptych {

/** Mean over all elements of each sample: [n, ...] -> [n]. */
inline Tensor mean_per_sample(const Tensor& values) {
  return values.flatten(1).mean(1);
}

}  // namespace diptych
