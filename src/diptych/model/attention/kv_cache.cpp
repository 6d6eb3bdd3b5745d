#include "diptych/model/attention/kv_cache.h"

namespace diptych {

KvCache make_cache(int64_t layers, int64_t kv_heads, int64_t head_dim, const at::TensorOptions& options) {
  KvCache cache;
  for (int64_t layer = 0; layer < layers; ++layer) {
    cache.keys.push_back(at::empty({0, kv_heads, head_dim}, options));
    cache.values.push_back(at::empty({0, kv_heads, head_dim}, options));
  }
  return cache;
}

void reserve_rows(KvCache& cache, int64_t rows) {
  const int64_t needed = cache.used + rows;
  for (std::vector<Tensor>* side : {&cache.keys, &cache.values}) {
    for (Tensor& storage : *side) {
      if (storage.size(0) >= needed) continue;
      const int64_t capacity = std::max(needed, 2 * storage.size(0));
      Tensor grown = at::zeros({capacity, storage.size(1), storage.size(2)}, storage.options());
      grown.narrow(0, 0, cache.used).copy_(storage.narrow(0, 0, cache.used));
      storage = grown;
    }
  }
}

}  // namespace diptych
