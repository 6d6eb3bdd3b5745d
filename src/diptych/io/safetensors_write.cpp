#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/atomic_file.h"
#include "diptych/io/safetensors.h"

namespace diptych {

void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToStore>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const TensorToStore& tensor : tensors) {
    size_t expected = dtype_size(tensor.dtype);
    for (const int64_t size : tensor.shape) expected *= static_cast<size_t>(size);
    if (dtype_size(tensor.dtype) == 0 || expected != tensor.bytes.size() || header.contains(tensor.name) ||
        tensor.name == "__metadata__") {
      throw Error(
          ExitCode::internal,
          {cat(path.string(), ": tensor '", tensor.name, "'"), "a new name and bytes that match dtype and shape",
           cat(tensor.dtype, " [", join(tensor.shape, ", "), "] with ", tensor.bytes.size(), " bytes"), ""});
    }
    header[tensor.name] = {
        {"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, offset + tensor.bytes.size()}}};
    offset += tensor.bytes.size();
  }

  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  char prefix[8];
  for (int i = 0; i < 8; ++i) prefix[i] = static_cast<char>(length >> (8 * i));

  AtomicFile file(path);
  file.write(prefix, sizeof prefix);
  file.write(text.data(), text.size());
  for (const TensorToStore& tensor : tensors) file.write(tensor.bytes.data(), tensor.bytes.size());
  file.commit();
}

}  // namespace diptych
