#pragma once
// Weight files into the slots of a model.

#include "diptych/io/safetensors.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** Opens a weight file whose tensors are those of the slots, in name and shape. No weight is read. Throws one
 *  Error(model) that lists every missing, extra and misshapen tensor. */
SafetensorsFile open_weights(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots);

/** Fills the slots from a file that open_weights has found to fit: tensors of `dtype` on `device`, in memory of their
 *  own, one after the other as they lie in the file. Beside the slots, host memory holds one tensor at a time. */
void read_weights(const SafetensorsFile& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                  at::Device device);

/** open_weights, then read_weights. */
void load_slots(const std::filesystem::path& file, const std::vector<ParameterSlot>& slots, at::ScalarType dtype,
                at::Device device = at::kCPU);

}  // namespace diptych
