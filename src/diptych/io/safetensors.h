#pragma once
// safetensors files: header and bytes, memory-mapped. No tensor library.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace diptych {

/** One tensor of a file. `bytes` points into the mapping and lives as long as the file object. */
struct StoredTensor {
  std::string dtype;  // "F32", "BF16", "I64", "U8", "BOOL", ...; as the file says, known or not
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/** A memory-mapped safetensors file, checked before anything is handed out: header length, JSON, offsets inside the
 *  file, no overlap, no hole, sizes that match dtype and shape. A dtype that is not known is no fault of the file: who
 *  reads the tensor must ask. Throws Error(model) naming file, tensor and remedy, Error(memory) if there is no room for
 *  the mapping. */
class SafetensorsFile {
 public:
  static SafetensorsFile open(const std::filesystem::path& path);

  const std::map<std::string, StoredTensor>& tensors() const { return tensors_; }
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  const std::filesystem::path& path() const { return path_; }

  /** Names in the order of their bytes in the file, in which a disk reads fastest. */
  std::vector<std::string> names_in_file_order() const;

  /** Takes the bytes of a tensor out of this process's memory; whoever reads them again gets them from the file. */
  void release(const StoredTensor& tensor) const;

 private:
  std::filesystem::path path_;
  std::shared_ptr<const void> mapping_;
  std::map<std::string, StoredTensor> tensors_;
  std::map<std::string, std::string> metadata_;
};

/** A tensor to be written; `bytes` must stay valid during the call. */
struct TensorToStore {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

/** Writes the file atomically (temporary name, fsync, rename). Tensors are stored in the given order, the data section
 *  8-byte aligned. Throws Error(io). */
void write_safetensors(const std::filesystem::path& path, const std::vector<TensorToStore>& tensors,
                       const std::map<std::string, std::string>& metadata = {});

/** Bytes per element of a safetensors dtype, 0 if it is unknown or no whole number. */
size_t dtype_size(const std::string& dtype);

}  // namespace diptych
