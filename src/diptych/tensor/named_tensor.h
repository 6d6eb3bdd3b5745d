#pragma once
// Tensors with the names they have in checkpoint files.

#include "diptych/tensor/torch.h"

namespace diptych {

struct NamedTensor {
  std::string name;
  Tensor tensor;
};

/** A slot of a model: its checkpoint name and where the tensor lives. Before loading, the slot holds a meta tensor of
 *  the expected shape, which is how the loader knows what to ask for. */
struct ParameterSlot {
  std::string name;
  Tensor* tensor;
};

}  // namespace diptych
