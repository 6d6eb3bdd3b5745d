#include "diptych/tensor/tensor_writer.h"

#include "diptych/io/safetensors_writer.h"
#include "diptych/tensor/load.h"

namespace diptych {

namespace {

TensorHeader header_of(const PlannedTensor& tensor) {
  return {.name = tensor.name, .dtype = dtype_of(tensor.dtype), .shape = tensor.shape};
}

}  // namespace

void write_tensors(const std::filesystem::path& path, const std::vector<PlannedTensor>& tensors,
                   const std::map<std::string, std::string>& metadata) {
  std::vector<TensorHeader> headers;
  for (const PlannedTensor& planned : tensors) headers.push_back(header_of(planned));
  SafetensorsWriter writer(path, headers, metadata);
  for (const PlannedTensor& planned : tensors) {
    const Tensor tensor = planned.make().detach().to(at::kCPU, planned.dtype).contiguous();
    TORCH_CHECK(tensor.sizes() == at::IntArrayRef(planned.shape), planned.name, " has another shape than planned");
    writer.write({static_cast<const std::byte*>(tensor.const_data_ptr()), tensor.nbytes()});
  }
  writer.commit();
}

uint64_t planned_bytes(const std::vector<PlannedTensor>& tensors) {
  uint64_t bytes = 0;
  for (const PlannedTensor& planned : tensors) bytes += byte_size(header_of(planned));
  return bytes;
}

}  // namespace diptych
