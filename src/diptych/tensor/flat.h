#pragma once
// Tensors side by side in one, for messages between processes.

#include "diptych/tensor/torch.h"

namespace diptych {

/** All elements of the tensors, of one dtype and device, in a new tensor of one dimension. */
Tensor flattened(const std::vector<Tensor>& tensors);

/** Views of what flattened() gave, in the shapes of `tensors`. */
std::vector<Tensor> views_of_flat(const Tensor& flat, const std::vector<Tensor>& tensors);

}  // namespace diptych
