#pragma once
// Weight files into the slots of a model.

#include "diptych/io/safetensors.h"
#include "diptych/model/config.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** The configuration with the sides of the position tables that the file of the transformer's weights holds, since some
 *  published folders state others; logs a warning where they do. A table that is not in the file keeps the stated side.
 *  Throws Error(model) for a number of rows that is no square. */
ModelConfig with_stored_tables(const ModelConfig& stated, const SafetensorsFile& transformer);

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
