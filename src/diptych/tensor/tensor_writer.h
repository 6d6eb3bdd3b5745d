#pragma once
// safetensors files of tensors that are made as they are written, so that a file may be larger than memory.

#include "diptych/tensor/torch.h"

#include <filesystem>
#include <functional>
#include <map>
#include <string>
#include <vector>

namespace diptych {

/** A tensor that exists when its turn comes. */
struct PlannedTensor {
  std::string name;
  at::ScalarType dtype;  // in the file
  std::vector<int64_t> shape;
  std::function<Tensor()> make;  // of that shape, any dtype, device and layout
};

/** Writes the tensors in the given order, one at a time. The file appears when it is complete. Throws Error(io) and
 * what `make` throws; TORCH_CHECKs the shapes, and that every dtype has a safetensors name. */
void write_tensors(const std::filesystem::path& path, const std::vector<PlannedTensor>& tensors,
                   const std::map<std::string, std::string>& metadata = {});

/** Bytes of the tensors in the file, without its header. */
uint64_t planned_bytes(const std::vector<PlannedTensor>& tensors);

}  // namespace diptych
