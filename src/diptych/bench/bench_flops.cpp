#include "diptych/tensor/torch.h"

#include "diptych/bench/bench_flops.h"

#include "diptych/model/bagel/flops.h"
#include "diptych/train/optimizer/trainable.h"

namespace diptych {

namespace {

double flops_of(const Conv& conv, double pixels) {
  return 2 * static_cast<double>(conv.weight.numel()) * pixels;
}

double flops_of(const ResBlock& block, double pixels) {
  return flops_of(block.conv1, pixels) + flops_of(block.conv2, pixels) +
         (block.shortcut ? flops_of(*block.shortcut, pixels) : 0);
}

double flops_of(const MiddleBlock& middle, double pixels) {
  const AttentionBlock& attention = middle.attention;
  const auto channels = static_cast<double>(attention.query.weight.size(0));
  double total = flops_of(middle.before, pixels) + flops_of(middle.after, pixels) + 4 * channels * pixels * pixels;
  for (const Conv* conv : {&attention.query, &attention.key, &attention.value, &attention.output})
    total += flops_of(*conv, pixels);
  return total;
}

}  // namespace

AutoencoderFlops autoencoder_flops(const Autoencoder& autoencoder, int64_t pixels) {
  const auto full = static_cast<double>(pixels);
  const Encoder& encoder = autoencoder.encoder;
  const Decoder& decoder = autoencoder.decoder;
  AutoencoderFlops flops{flops_of(encoder.conv_in, full), flops_of(decoder.conv_out, full)};
  double here = full;
  for (const Level& level : encoder.levels) {
    for (const ResBlock& block : level.blocks) flops.encode += flops_of(block, here);
    if (level.resample) flops.encode += flops_of(*level.resample, here /= 4);
  }
  flops.encode += flops_of(encoder.middle, here) + flops_of(encoder.conv_out, here);
  // The decoder's change of resolution works at the higher of the two, which is the one above in the list.
  here = full;
  for (size_t i = 0; i < decoder.levels.size(); ++i) {
    for (const ResBlock& block : decoder.levels[i].blocks) flops.decode += flops_of(block, here);
    if (i + 1 < decoder.levels.size()) {
      flops.decode += flops_of(*decoder.levels[i + 1].resample, here);
      here /= 4;
    }
  }
  flops.decode += flops_of(decoder.middle, here) + flops_of(decoder.conv_in, here);
  return flops;
}

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

double pack_flops(const ModelConfig& config, const std::vector<Segment>& segments, int64_t cache_rows) {
  const PackLayout layout = lay_out(segments, /*vision_start=*/0, /*vision_end=*/0, cache_rows, at::kCPU);
  std::vector<int64_t> patches;
  for (const Segment& segment : segments)
    if (segment.kind == SegmentKind::vit_image) patches.push_back(segment.content.size(0));
  return forward_flops(config, layout) + vit_flops(config, patches);
}

double decoder_bytes(Bagel& model, bool both) {
  double bytes = 0;
  for (const NamedLinear& linear : decoder_linears(model.decoder))
    if (both || !is_generation_expert(linear.name)) bytes += static_cast<double>(linear.layer->weight.nbytes());
  return bytes;
}

double logits_flops(const ModelConfig& config, double rows) {
  return 2 * rows * static_cast<double>(config.hidden * config.vocabulary);
}

}  // namespace diptych
