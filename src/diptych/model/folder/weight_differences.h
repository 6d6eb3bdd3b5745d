#pragma once
// What a weight file holds against what a configuration asks for, from its header alone.

#include <map>

#include "diptych/io/safetensors.h"
#include "diptych/tensor/named_tensor.h"

namespace diptych {

enum class DifferenceKind {
  missing,     // asked for, not in the file
  misshapen,   // of another shape than asked for
  unreadable,  // of a dtype that weights are not read from
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
 *  convolution [out, 3, p, p]. Buffers that anyone can compute again are not extra. No weight is read. */
std::vector<WeightDifference> weight_differences(const std::map<std::string, StoredTensor>& stored,
                                                 const std::vector<ParameterSlot>& slots);

/** Names of stored tensors that no slot asks for and that follow from the configuration: frequencies of the rotary
 *  positions, position numbers, causal masks. */
std::vector<std::string> skipped_buffers(const std::map<std::string, StoredTensor>& stored,
                                         const std::vector<ParameterSlot>& slots);

/** Logs one warning that names the buffers, if there are any. */
void warn_of_skipped(const std::filesystem::path& file, const std::vector<std::string>& buffers);

/** "missing llm2vae.bias [64]". */
std::string difference_text(const WeightDifference& difference);

/** "[3584, 64]". */
std::string shape_text(at::IntArrayRef shape);

/** Whether a slot takes a tensor stored with this shape as the weights of a convolution over patches. */
bool is_convolutional_patch(at::IntArrayRef stored, const ParameterSlot& slot);

}  // namespace diptych
