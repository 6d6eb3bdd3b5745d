#include "diptych/io/safetensors_writer.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/safetensors.h"

namespace diptych {

namespace {

[[noreturn]] void fail(const std::filesystem::path& path, const TensorHeader& tensor, const std::string& problem) {
  throw Error(ExitCode::internal,
              {cat(path.string(), ": tensor '", tensor.name, "'"), "a new name, and bytes that match dtype and shape",
               cat(tensor.dtype, " [", join(tensor.shape, ", "), "] ", problem), ""});
}

/** Length and JSON, padded to a multiple of 8 bytes. */
std::string header_bytes(const std::filesystem::path& path, const std::vector<TensorHeader>& tensors,
                         const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t offset = 0;
  for (const TensorHeader& tensor : tensors) {
    if (dtype_size(tensor.dtype) == 0) fail(path, tensor, "of a dtype that the format does not know");
    if (header.contains(tensor.name) || tensor.name == "__metadata__") fail(path, tensor, "under a name that is taken");
    const size_t end = offset + byte_size(tensor);
    header[tensor.name] = {{"dtype", tensor.dtype}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::string length(8, '\0');
  for (int i = 0; i < 8; ++i) length[i] = static_cast<char>(uint64_t{text.size()} >> (8 * i));
  return length + text;
}

}  // namespace

size_t byte_size(const TensorHeader& tensor) {
  size_t bytes = dtype_size(tensor.dtype);
  for (const int64_t size : tensor.shape) bytes *= static_cast<size_t>(size);
  return bytes;
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path, const std::vector<TensorHeader>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : path_(path), tensors_(tensors), file_(path) {
  const std::string header = header_bytes(path, tensors, metadata);
  file_.write(header.data(), header.size());
}

void SafetensorsWriter::write(std::span<const std::byte> bytes) {
  if (written_ == tensors_.size())
    throw Error(ExitCode::internal, {path_.string(), cat(tensors_.size(), " tensors"), "one more", ""});
  const TensorHeader& tensor = tensors_[written_];
  if (bytes.size() != byte_size(tensor)) fail(path_, tensor, cat("with ", bytes.size(), " bytes"));
  file_.write(bytes.data(), bytes.size());
  ++written_;
}

void SafetensorsWriter::commit() {
  if (written_ != tensors_.size())
    throw Error(ExitCode::internal, {path_.string(), cat(tensors_.size(), " tensors"), cat(written_), ""});
  file_.commit();
}

}  // namespace diptych
