#include "diptych/serve/engine/cache_rows.h"

#include "diptych/tensor/device.h"

namespace diptych {

void compact(KvCache& cache, const std::vector<CachedContext*>& contexts) {
  at::NoGradGuard no_grad;
  std::vector<int64_t> place(static_cast<size_t>(cache.used), -1);
  for (const CachedContext* context : contexts)
    for (const int64_t row : context->rows) place[static_cast<size_t>(row)] = 0;
  std::vector<int64_t> kept;
  for (size_t row = 0; row < place.size(); ++row) {
    if (place[row] < 0) continue;
    place[row] = static_cast<int64_t>(kept.size());
    kept.push_back(static_cast<int64_t>(row));
  }
  cache.used = static_cast<int64_t>(kept.size());
  for (CachedContext* context : contexts)
    for (int64_t& row : context->rows) row = place[static_cast<size_t>(row)];
  if (kept.empty()) return;
  const Tensor index = index_on(kept, cache.keys.front().device());
  for (std::vector<Tensor>* side : {&cache.keys, &cache.values})
    for (Tensor& storage : *side) storage.narrow(0, 0, cache.used).copy_(storage.index_select(0, index));
}

}  // namespace diptych
