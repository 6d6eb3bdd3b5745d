#include "diptych/model/bagel/autoencoder.h"

#include <cmath>

#include "diptych/model/attention/attention.h"
#include "diptych/model/layers/group_norm.h"
#include "diptych/model/layers/layers.h"

namespace diptych {

namespace {

constexpr double kNormEps = 1e-6;

Conv make_conv(int64_t in, int64_t out, int64_t kernel) {
  const at::TensorOptions meta = at::TensorOptions().device(at::kMeta);
  return {at::empty({out, in, kernel, kernel}, meta), at::empty({out}, meta)};
}

GroupNorm make_group_norm(int64_t channels) {
  const at::TensorOptions meta = at::TensorOptions().device(at::kMeta);
  return {at::empty({channels}, meta), at::empty({channels}, meta)};
}

ResBlock make_res_block(int64_t in, int64_t out) {
  ResBlock block = {.norm1 = make_group_norm(in),
                    .conv1 = make_conv(in, out, 3),
                    .norm2 = make_group_norm(out),
                    .conv2 = make_conv(out, out, 3),
                    .shortcut = std::nullopt};
  if (in != out) block.shortcut = make_conv(in, out, 1);
  return block;
}

MiddleBlock make_middle(int64_t channels) {
  const AttentionBlock attention = {.norm = make_group_norm(channels),
                                    .query = make_conv(channels, channels, 1),
                                    .key = make_conv(channels, channels, 1),
                                    .value = make_conv(channels, channels, 1),
                                    .output = make_conv(channels, channels, 1)};
  return {make_res_block(channels, channels), attention, make_res_block(channels, channels)};
}

Encoder make_encoder(const AutoencoderConfig& config) {
  Encoder encoder;
  encoder.conv_in = make_conv(config.in_channels, config.channels, 3);
  int64_t channels = config.channels;
  const size_t count = config.channel_multipliers.size();
  for (size_t i = 0; i < count; ++i) {
    Level level;
    const int64_t out = config.channels * config.channel_multipliers[i];
    for (int64_t j = 0; j < config.res_blocks; ++j) {
      level.blocks.push_back(make_res_block(channels, out));
      channels = out;
    }
    if (i + 1 < count) level.resample = make_conv(out, out, 3);
    encoder.levels.push_back(level);
  }
  encoder.middle = make_middle(channels);
  encoder.norm_out = make_group_norm(channels);
  encoder.conv_out = make_conv(channels, 2 * config.z_channels, 3);
  return encoder;
}

Decoder make_decoder(const AutoencoderConfig& config) {
  Decoder decoder;
  const size_t count = config.channel_multipliers.size();
  int64_t channels = config.channels * config.channel_multipliers.back();
  decoder.conv_in = make_conv(config.z_channels, channels, 3);
  decoder.middle = make_middle(channels);
  decoder.levels.resize(count);
  for (size_t i = count; i-- > 0;) {
    Level& level = decoder.levels[i];
    const int64_t out = config.channels * config.channel_multipliers[i];
    for (int64_t j = 0; j < config.res_blocks + 1; ++j) {
      level.blocks.push_back(make_res_block(channels, out));
      channels = out;
    }
    if (i > 0) level.resample = make_conv(out, out, 3);
  }
  decoder.norm_out = make_group_norm(channels);
  decoder.conv_out = make_conv(channels, config.out_channels, 3);
  return decoder;
}

template <class Layer>
void collect_pair(std::vector<ParameterSlot>& slots, const std::string& prefix, Layer& layer) {
  slots.push_back({prefix + ".weight", &layer.weight});
  slots.push_back({prefix + ".bias", &layer.bias});
}

void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, ResBlock& block) {
  collect_pair(slots, prefix + ".norm1", block.norm1);
  collect_pair(slots, prefix + ".conv1", block.conv1);
  collect_pair(slots, prefix + ".norm2", block.norm2);
  collect_pair(slots, prefix + ".conv2", block.conv2);
  if (block.shortcut) collect_pair(slots, prefix + ".nin_shortcut", *block.shortcut);
}

void collect(std::vector<ParameterSlot>& slots, const std::string& prefix, MiddleBlock& middle) {
  collect(slots, prefix + ".block_1", middle.before);
  collect_pair(slots, prefix + ".attn_1.norm", middle.attention.norm);
  collect_pair(slots, prefix + ".attn_1.q", middle.attention.query);
  collect_pair(slots, prefix + ".attn_1.k", middle.attention.key);
  collect_pair(slots, prefix + ".attn_1.v", middle.attention.value);
  collect_pair(slots, prefix + ".attn_1.proj_out", middle.attention.output);
  collect(slots, prefix + ".block_2", middle.after);
}

// `levels` is "encoder.down" or "decoder.up", `resample` the name of the change of resolution.
void collect(std::vector<ParameterSlot>& slots, const std::string& levels, const std::string& resample,
             std::vector<Level>& list) {
  for (size_t i = 0; i < list.size(); ++i) {
    const std::string prefix = levels + "." + std::to_string(i) + ".";
    for (size_t j = 0; j < list[i].blocks.size(); ++j)
      collect(slots, prefix + "block." + std::to_string(j), list[i].blocks[j]);
    if (list[i].resample) collect_pair(slots, prefix + resample + ".conv", *list[i].resample);
  }
}

// Pixels as rows [N H W, C], which costs nothing where channels lie last, and back to the shape of `like`.
Tensor to_rows(const Tensor& maps) {
  return maps.permute({0, 2, 3, 1}).reshape({-1, maps.size(1)});
}

Tensor to_maps(const Tensor& rows, const Tensor& like) {
  return rows.view({like.size(0), like.size(2), like.size(3), rows.size(1)}).permute({0, 3, 1, 2});
}

// A convolution of single pixels is a product of rows. On the CPU its bits then depend on neither batch nor threads, as
// those of ATen's convolution do on processors without AVX-512.
Tensor per_pixel(const Conv& conv, const Tensor& rows) {
  return linear(rows, {conv.weight.flatten(1), conv.bias});
}

Tensor convolve(const Conv& conv, const Tensor& x) {
  if (conv.weight.size(2) == 1) return to_maps(per_pixel(conv, to_rows(x)), x);
  return at::conv2d(x, conv.weight, conv.bias, 1, conv.weight.size(2) / 2);
}

Tensor normalise(const GroupNorm& norm, int64_t groups, const Tensor& x, bool with_silu) {
  return group_norm(
      x, {.groups = groups, .weight = norm.weight, .bias = norm.bias, .eps = kNormEps, .with_silu = with_silu});
}

Tensor apply(const ResBlock& block, int64_t groups, const Tensor& x) {
  const Tensor inner = convolve(block.conv1, normalise(block.norm1, groups, x, true));
  const Tensor residual = convolve(block.conv2, normalise(block.norm2, groups, inner, true));
  return (block.shortcut ? convolve(*block.shortcut, x) : x) + residual;
}

// One head over all pixels of an image, as wide as the channels.
Tensor apply(const AttentionBlock& block, int64_t groups, const Tensor& x) {
  const Tensor rows = to_rows(normalise(block.norm, groups, x, false));
  const std::vector<int64_t> pixels(static_cast<size_t>(x.size(0)), x.size(2) * x.size(3));
  const AttentionPlan plan = plan_attention(whole_blocks(pixels), rows.size(0), x.size(1), rows.options());
  const auto head = [&](const Conv& conv) { return per_pixel(conv, rows).unsqueeze(1); };
  const Tensor mixed = attend(plan, head(block.query), head(block.key), head(block.value));
  return x + to_maps(per_pixel(block.output, mixed), x);
}

Tensor apply(const MiddleBlock& middle, int64_t groups, const Tensor& x) {
  return apply(middle.after, groups, apply(middle.attention, groups, apply(middle.before, groups, x)));
}

// The reference pads right and bottom only.
Tensor halve(const Conv& conv, const Tensor& x) {
  return at::conv2d(at::constant_pad_nd(x, {0, 1, 0, 1}), conv.weight, conv.bias, 2);
}

Tensor double_size(const Conv& conv, const Tensor& x) {
  return convolve(conv, at::upsample_nearest2d(x, {2 * x.size(2), 2 * x.size(3)}));
}

// Convolutions of few channels are up to twice as fast with the channels of a pixel side by side.
Tensor channels_last(const Tensor& maps) {
  return maps.contiguous(at::MemoryFormat::ChannelsLast);
}

Tensor run_encoder(const Encoder& encoder, int64_t groups, const Tensor& images) {
  Tensor x = convolve(encoder.conv_in, channels_last(images));
  for (const Level& level : encoder.levels) {
    for (const ResBlock& block : level.blocks) x = apply(block, groups, x);
    if (level.resample) x = halve(*level.resample, x);
  }
  x = apply(encoder.middle, groups, x);
  return convolve(encoder.conv_out, normalise(encoder.norm_out, groups, x, true));
}

Tensor run_decoder(const Decoder& decoder, int64_t groups, const Tensor& latents) {
  Tensor x = apply(decoder.middle, groups, convolve(decoder.conv_in, channels_last(latents)));
  for (auto level = decoder.levels.rbegin(); level != decoder.levels.rend(); ++level) {
    for (const ResBlock& block : level->blocks) x = apply(block, groups, x);
    if (level->resample) x = double_size(*level->resample, x);
  }
  return convolve(decoder.conv_out, normalise(decoder.norm_out, groups, x, true));
}

// A CPU convolution at batch 1 takes other kernels than at 2 or more. Where bits must not depend on the batch, which is
// sampling and so without gradients, a lone image is computed beside a copy of itself.
template <class Network>
Tensor in_batch(const Tensor& batch, const Network& network) {
  if (batch.size(0) > 1 || !batch.is_cpu() || at::GradMode::is_enabled()) return network(batch);
  return network(at::cat({batch, batch})).narrow(0, 0, 1);
}

}  // namespace

Autoencoder make_autoencoder(const ModelConfig& config) {
  return {config.vae, make_encoder(config.vae), make_decoder(config.vae)};
}

void collect(std::vector<ParameterSlot>& slots, Autoencoder& autoencoder) {
  Encoder& encoder = autoencoder.encoder;
  collect_pair(slots, "encoder.conv_in", encoder.conv_in);
  collect(slots, "encoder.down", "downsample", encoder.levels);
  collect(slots, "encoder.mid", encoder.middle);
  collect_pair(slots, "encoder.norm_out", encoder.norm_out);
  collect_pair(slots, "encoder.conv_out", encoder.conv_out);
  Decoder& decoder = autoencoder.decoder;
  collect_pair(slots, "decoder.conv_in", decoder.conv_in);
  collect(slots, "decoder.mid", decoder.middle);
  collect(slots, "decoder.up", "upsample", decoder.levels);
  collect_pair(slots, "decoder.norm_out", decoder.norm_out);
  collect_pair(slots, "decoder.conv_out", decoder.conv_out);
}

Moments encode_moments(const Autoencoder& autoencoder, const Tensor& images) {
  const AutoencoderConfig& config = autoencoder.config;
  TORCH_CHECK(images.dim() == 4 && images.size(2) % config.downsample == 0 && images.size(3) % config.downsample == 0,
              "encode: images ", images.sizes(), ", expected sides that are multiples of ", config.downsample);
  const Tensor moments = in_batch(
      images, [&](const Tensor& batch) { return run_encoder(autoencoder.encoder, config.norm_groups, batch); });
  const std::vector<Tensor> halves = moments.chunk(2, 1);
  return {halves[0], halves[1]};
}

Tensor encode(const Autoencoder& autoencoder, const Tensor& images, const Tensor& eps) {
  const Moments moments = encode_moments(autoencoder, images);
  const Tensor raw = moments.mean + (moments.logvar * 0.5).exp() * eps;
  return (raw - autoencoder.config.shift) * autoencoder.config.scale;
}

Tensor decode(const Autoencoder& autoencoder, const Tensor& latents) {
  const AutoencoderConfig& config = autoencoder.config;
  return in_batch(latents / config.scale + config.shift,
                  [&](const Tensor& batch) { return run_decoder(autoencoder.decoder, config.norm_groups, batch); });
}

}  // namespace diptych
