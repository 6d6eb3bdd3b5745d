#pragma once
// Keys and values of tokens that later passes may see.

#include "diptych/tensor/torch.h"

namespace diptych {

/** Rows of keys and values, one row per token, per layer [capacity, kv_heads, head_dim], after q/k-norm and RoPE. A
 *  context is a list of row numbers, so that the samples of a group share the rows of their prompt. */
struct KvCache {
  std::vector<Tensor> keys;
  std::vector<Tensor> values;
  int64_t used = 0;  // rows in use; later rows are scratch
};

/** An empty cache. */
KvCache make_cache(int64_t layers, int64_t kv_heads, int64_t head_dim, const at::TensorOptions& options);

/** Grows the storage so that `rows` more rows fit; contents stay. */
void reserve_rows(KvCache& cache, int64_t rows);

}  // namespace diptych
