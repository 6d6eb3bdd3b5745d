// write_safetensors of safetensors.h.

#include "diptych/io/safetensors.h"
#include "diptych/io/safetensors_writer.h"

namespace diptych {

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToStore>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<TensorHeader> headers;
  for (const TensorToStore& tensor : tensors) headers.push_back({tensor.name, tensor.dtype, tensor.shape});
  SafetensorsWriter writer(path, headers, metadata);
  for (const TensorToStore& tensor : tensors) writer.write(tensor.bytes);
  writer.commit();
}

}  // namespace diptych
