#include "diptych/tensor/torch.h"

#include "diptych/tensor/load.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

constexpr size_t kLengthBytes = 8;

void read_tensors(std::span<const std::byte> bytes) {
  const std::map<std::string, Tensor> tensors = load_tensors(scratch_file("input.safetensors", bytes));
  for (const auto& [name, tensor] : tensors) {
    require(tensor.nbytes() <= bytes.size(), "a tensor larger than its file");
    static_cast<void>(tensor.to(at::kDouble).sum().item<double>());
  }
}

/** The length in front becomes that of the JSON object behind it. */
void mend_length(Bytes& bytes) {
  int depth = 0;
  size_t end = kLengthBytes;
  for (; end < bytes.size(); ++end) {
    if (bytes[end] == std::byte{'{'}) ++depth;
    if (bytes[end] == std::byte{'}'} && --depth <= 0) break;
  }
  if (end >= bytes.size()) return;
  const uint64_t length = end + 1 - kLengthBytes;
  for (size_t i = 0; i < kLengthBytes; ++i) bytes[i] = static_cast<std::byte>(length >> (8 * i));
}

}  // namespace

std::vector<Target> tensor_targets() {
  return {{.name = "safetensors",
           .read = read_tensors,
           .words = {"\"dtype\":\"F32\"", "\"dtype\":\"BF16\"", "\"dtype\":\"BOOL\"", "\"dtype\":\"I64\"",
                     "\"dtype\":\"F8_E4M3\"", "\"shape\":[]", "\"shape\":[0]", "\"data_offsets\":[0,0]", "F64", "F16",
                     "I32", "U8", "__metadata__", "1,", ",0"},
           .mend = mend_length}};
}

}  // namespace diptych::fuzz
