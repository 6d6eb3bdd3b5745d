#pragma once
// What a weight file holds against what a configuration asks for, from its header alone.

#include "diptych/io/safetensors.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

enum class DifferenceKind {
  missing,     // asked for, not in the file
  misshapen,   // of another shape than asked for
  unreadable,  // of a dtype that no weight can have
  extra,       // in the file, not asked for
};

struct WeightDifference {
  DifferenceKind kind;
  std::string name;
  std::vector<int64_t> expected;  // shape; empty for extra
  std::vector<int64_t> stored;    // shape; empty for missing
  std::string dtype;              // in the file; empty for missing
};

/** All differences: of the slots in their order, then what is extra. The published patch embedding may be stored as a
 *  convolution [out, 3, p, p]. No weight is read. */
std::vector<WeightDifference> weight_differences(const SafetensorsFile& file, const std::vector<ParameterSlot>& slots);

/** "missing llm2vae.bias [64]". */
std::string difference_text(const WeightDifference& difference);

/** "[3584, 64]". */
std::string shape_text(at::IntArrayRef shape);

/** Whether a slot takes a tensor stored with this shape as the weights of a convolution over patches. */
bool is_convolutional_patch(at::IntArrayRef stored, const ParameterSlot& slot);

}  // namespace diptych
