#include "diptych/tensor/random.h"

namespace diptych {

Tensor normal_tensor(const StreamKey& key, at::IntArrayRef shape) {
  Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.mutable_data_ptr<float>();
  Stream stream(key);
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(stream.normal());
  return tensor;
}

Tensor uniform_tensor(const StreamKey& key, at::IntArrayRef shape) {
  Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.mutable_data_ptr<float>();
  Stream stream(key);
  for (int64_t i = 0; i < tensor.numel(); ++i) values[i] = static_cast<float>(stream.next_u32() >> 8) * 0x1p-24f;
  return tensor;
}

}  // namespace diptych
