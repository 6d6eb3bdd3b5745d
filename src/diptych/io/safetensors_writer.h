#pragma once
// Writing a safetensors file tensor by tensor: header first, so that the tensors need not be in memory together.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "diptych/io/atomic_file.h"

namespace diptych {

/** What the header says of a tensor. */
struct TensorHeader {
  std::string name;
  std::string dtype;  // "F32", "BF16", ...
  std::vector<int64_t> shape;
};

/** A file under a temporary name until commit(); without a commit `path` stays as it was. Throws Error(io), and
 *  Error(internal) for names that repeat, unknown dtypes, and bytes that do not match the header. */
class SafetensorsWriter {
 public:
  /** Writes the header. The data section behind it is 8-byte aligned. */
  SafetensorsWriter(const std::filesystem::path& path, const std::vector<TensorHeader>& tensors,
                    const std::map<std::string, std::string>& metadata = {});

  /** Writes the next tensor of the header: all its bytes, row-major, little-endian. */
  void write(std::span<const std::byte> bytes);

  /** Once all tensors are written: flushes the file to disk and gives it its name. */
  void commit();

 private:
  std::filesystem::path path_;
  std::vector<TensorHeader> tensors_;
  AtomicFile file_;
  size_t written_ = 0;  // tensors
};

/** Bytes of a tensor of a known dtype. */
size_t byte_size(const TensorHeader& tensor);

}  // namespace diptych
