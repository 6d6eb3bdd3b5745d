#include "diptych/tensor/torch.h"

#include "diptych/bench/bench_flops.h"

#include "diptych/model/flops.h"

namespace diptych {

double vit_flops(const ModelConfig& config, const std::vector<int64_t>& patches) {
  const VitConfig& vit = config.vit;
  const auto width = static_cast<double>(vit.hidden);
  const auto model_width = static_cast<double>(config.hidden);
  const double per_layer = 2 * width * (4 * width + 2 * static_cast<double>(vit.mlp));
  const double outside =
      2 * width * static_cast<double>(vit.patch * vit.patch * 3) + 2 * model_width * (width + model_width);
  double total = 0;
  for (const int64_t count : patches) {
    const auto rows = static_cast<double>(count);
    total += rows * outside + static_cast<double>(vit.layers) * (rows * per_layer + 4 * width * rows * rows);
  }
  return total;
}

double pack_flops(const Bagel& model, const std::vector<Segment>& segments, int64_t cache_rows) {
  const PackLayout layout =
      lay_out(segments, model.special.vision_start, model.special.vision_end, cache_rows, compute_options(model));
  std::vector<int64_t> patches;
  for (const Segment& segment : segments)
    if (segment.kind == SegmentKind::vit_image) patches.push_back(segment.content.size(0));
  return forward_flops(model.config, layout) + vit_flops(model.config, patches);
}

double logits_flops(const ModelConfig& config, double rows) {
  return 2 * rows * static_cast<double>(config.hidden * config.vocabulary);
}

}  // namespace diptych
