#include "diptych/model/bagel/bagel.h"

#include <ATen/Parallel.h>

#include "diptych/model/bagel/flops.h"
#include "diptych/model/layers/embeddings.h"
#include "diptych/tensor/device.h"
#include "diptych/tensor/packs.h"

namespace diptych {

namespace {

constexpr int64_t kTimeFrequencies = 256;

// On the CPU a pass of less work, a millisecond or two of one core, is slower on several: threads wait for each other
// in every layer. Bits do not depend on it.
constexpr double kSingleThreadFlops = 1.5e8;

int kernel_threads(const Bagel& model, double flops) {
  const bool small = model.embed_tokens.is_cpu() && !at::GradMode::is_enabled() && flops < kSingleThreadFlops;
  return small ? 1 : at::get_num_threads();
}

// A head's output, which is float32 at least.
Tensor head(const Bagel& model, const Linear& layer, const Tensor& hidden) {
  const KernelThreads threads(kernel_threads(model, 2.0 * static_cast<double>(hidden.size(0) * layer.weight.numel())));
  const Tensor out = linear(hidden, layer);
  return out.scalar_type() == at::kDouble ? out : out.to(at::kFloat);
}

Tensor embed_vit(const Bagel& model, const std::vector<Segment>& segments) {
  TORCH_CHECK(model.vit.has_value(), "the pack holds a ViT image, but the model folder has no ViT");
  const int64_t stride = model.config.vit_max_patches_per_side;
  std::vector<Tensor> patches;
  std::vector<int64_t> ids;
  std::vector<int64_t> lengths;
  for (const Segment& segment : segments) {
    if (segment.kind != SegmentKind::vit_image) continue;
    patches.push_back(segment.content);
    lengths.push_back(segment.grid_height * segment.grid_width);
    for (int64_t row = 0; row < segment.grid_height; ++row)
      for (int64_t column = 0; column < segment.grid_width; ++column) ids.push_back(row * stride + column);
  }
  const Tensor positions = index_on(ids, model.embed_tokens.device());
  const Tensor features =
      vit_forward(*model.vit, model.config, at::cat(patches).to(compute_options(model)), positions, lengths);
  return connect(*model.vit, features) + model.vit->pos_embed.index_select(0, positions);
}

Tensor embed_latents(const Bagel& model, const std::vector<Segment>& segments) {
  const int64_t stride = model.config.max_latent_size;
  const at::TensorOptions options = compute_options(model);
  std::vector<Tensor> patches;
  std::vector<double> times;
  std::vector<int64_t> owners;
  std::vector<int64_t> ids;
  for (const Segment& segment : segments) {
    if (segment.kind != SegmentKind::clean_latent && segment.kind != SegmentKind::noisy_latent) continue;
    TORCH_CHECK(segment.grid_height <= stride && segment.grid_width <= stride, "pack: a latent of ",
                segment.grid_height, " x ", segment.grid_width, " tokens is larger than max_latent_size ", stride);
    patches.push_back(on_device(segment.content, options));  // those of a rollout lie with the host
    for (int64_t row = 0; row < segment.grid_height; ++row) {
      for (int64_t column = 0; column < segment.grid_width; ++column) {
        ids.push_back(row * stride + column);
        owners.push_back(static_cast<int64_t>(times.size()));
      }
    }
    times.push_back(segment.kind == SegmentKind::clean_latent ? 0.0 : segment.time);
  }
  const Tensor sinusoid =
      time_sinusoid(on_device(at::tensor(times, at::kDouble), options.device()), kTimeFrequencies).to(options);
  const Tensor time = linear(at::silu(linear(sinusoid, model.time_in)), model.time_out);
  return linear(at::cat(patches), model.vae2llm) + time.index_select(0, index_on(owners, options.device())) +
         model.latent_pos_embed.index_select(0, index_on(ids, model.embed_tokens.device()));
}

}  // namespace

Bagel make_bagel(const ModelConfig& config) {
  const int64_t channels = config.latent_patch * config.latent_patch * config.vae.z_channels;
  const at::TensorOptions meta = at::TensorOptions().device(at::kMeta);
  Bagel model;
  model.config = config;
  model.embed_tokens = at::empty({config.vocabulary, config.hidden}, meta);
  model.lm_head = make_linear(config.hidden, config.vocabulary, false);
  model.decoder = make_decoder(config);
  model.vae2llm = make_linear(channels, config.hidden, true);
  model.llm2vae = make_linear(config.hidden, channels, true);
  model.time_in = make_linear(kTimeFrequencies, config.hidden, true);
  model.time_out = make_linear(config.hidden, config.hidden, true);
  model.latent_pos_embed = at::empty({config.max_latent_size * config.max_latent_size, config.hidden}, meta);
  if (config.visual_und) model.vit = make_vit(config);
  model.autoencoder = make_autoencoder(config);
  return model;
}

std::vector<ParameterSlot> transformer_slots(Bagel& model) {
  std::vector<ParameterSlot> slots;
  slots.push_back({"language_model.model.embed_tokens.weight", &model.embed_tokens});
  collect(slots, "language_model.lm_head", model.lm_head);
  collect(slots, model.decoder);
  collect(slots, "vae2llm", model.vae2llm);
  collect(slots, "llm2vae", model.llm2vae);
  collect(slots, "time_embedder.mlp.0", model.time_in);
  collect(slots, "time_embedder.mlp.2", model.time_out);
  slots.push_back({"latent_pos_embed.pos_embed", &model.latent_pos_embed});
  if (model.vit) collect(slots, *model.vit);
  return slots;
}

std::vector<ParameterSlot> autoencoder_slots(Bagel& model) {
  std::vector<ParameterSlot> slots;
  collect(slots, model.autoencoder);
  return slots;
}

at::TensorOptions compute_options(const Bagel& model) {
  return at::TensorOptions().dtype(model.embed_tokens.dtype()).device(model.embed_tokens.device());
}

KvCache make_cache(const Bagel& model) {
  const ModelConfig& config = model.config;
  return make_cache(config.layers, config.kv_heads, config.head_dim, compute_options(model));
}

Streams embed(const Bagel& model, const std::vector<Segment>& segments, const PackLayout& layout) {
  Streams streams;
  streams.und = model.embed_tokens.index_select(0, layout.token_ids);
  if (layout.vit_rows > 0) streams.und = at::cat({streams.und, embed_vit(model, segments)});
  streams.gen = layout.latent_rows > 0 ? embed_latents(model, segments) : streams.und.narrow(0, 0, 0);
  return streams;
}

PackOutput forward(const Bagel& model, const std::vector<Segment>& segments, KvCache* cache, CacheUse use,
                   const LayerTap& tap) {
  TORCH_CHECK(cache == nullptr || !at::GradMode::is_enabled(), "forward: a cached pass must run without gradients");
  PackOutput output;
  output.cache_begin = cache == nullptr ? -1 : cache->used;
  output.layout = lay_out(segments, model.special.vision_start, model.special.vision_end, output.cache_begin,
                          model.embed_tokens.device());
  const KernelThreads threads(kernel_threads(model, forward_flops(model.config, output.layout)));
  if (cache != nullptr) reserve_rows(*cache, output.layout.total_rows());
  const Streams hidden =
      decoder_forward(model.decoder, model.config, output.layout, embed(model, segments, output.layout), cache, tap);
  if (cache != nullptr && use == CacheUse::append) cache->used += output.layout.total_rows();
  output.und = hidden.und;
  output.latent = hidden.gen;
  return output;
}

Tensor velocity(const Bagel& model, const Tensor& latent_hidden) {
  return head(model, model.llm2vae, latent_hidden);
}

Tensor logits(const Bagel& model, const Tensor& und_hidden) {
  return head(model, model.lm_head, und_hidden);
}

std::vector<int64_t> cache_rows(const PackOutput& output, size_t segment) {
  TORCH_CHECK(output.cache_begin >= 0, "cache_rows: the pass had no cache");
  std::vector<int64_t> rows = token_rows(output.layout.segments[segment]);
  for (int64_t& row : rows) row += output.cache_begin;
  return rows;
}

}  // namespace diptych
