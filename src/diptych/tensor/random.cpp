#include "diptych/tensor/random.h"

#include <ATen/Parallel.h>

#include <algorithm>

namespace diptych {

namespace {

constexpr int64_t kBlocksPerThread = 1 << 13;  // at least, about half a millisecond of work

}  // namespace

Tensor normal_tensor(const StreamKey& key, at::IntArrayRef shape) {
  Tensor tensor = at::empty(shape, at::kFloat);
  float* values = tensor.mutable_data_ptr<float>();
  const int64_t count = tensor.numel();
  // Block b of the stream makes the numbers 2 b and 2 b + 1.
  at::parallel_for(0, (count + 1) / 2, kBlocksPerThread, [&](int64_t first_block, int64_t end_block) {
    Stream stream(key, static_cast<uint64_t>(first_block));
    const int64_t end = std::min(2 * end_block, count);
    for (int64_t i = 2 * first_block; i < end; ++i) values[i] = static_cast<float>(stream.normal());
  });
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
