#include "diptych/model/bagel/flops.h"

namespace diptych {

double forward_flops(const ModelConfig& config, const PackLayout& layout) {
  const double hidden = static_cast<double>(config.hidden);
  const double query_width = static_cast<double>(config.heads * config.head_dim);
  const double key_width = static_cast<double>(config.kv_heads * config.head_dim);
  const double per_row = 2 * hidden * (2 * query_width + 2 * key_width + 3 * static_cast<double>(config.mlp));
  double attention = 0;
  for (const QueryBlock& block : layout.blocks->list)
    attention += 4 * query_width * static_cast<double>(block.queries.size() * block.keys.size());
  return static_cast<double>(config.layers) * (per_row * static_cast<double>(layout.total_rows()) + attention);
}

}  // namespace diptych
