#include "diptych/tensor/torch.h"

#include "diptych/plan/rollout_memory.h"

#include <algorithm>

namespace diptych {

namespace {

constexpr int64_t kFloatBytes = sizeof(float);
constexpr int64_t kDoubleBytes = sizeof(double);

/** Rows that model/attention/kv_cache.cpp holds: at least what is needed, else twice what there was. */
class CacheRows {
 public:
  void append(int64_t rows) {
    reserve(rows);
    used_ += rows;
  }
  void reserve(int64_t rows) {
    const int64_t needed = used_ + rows;
    if (capacity_ < needed) capacity_ = std::max(needed, 2 * capacity_);
  }
  int64_t capacity() const { return capacity_; }

 private:
  int64_t used_ = 0;
  int64_t capacity_ = 0;
};

int64_t contexts_in(const Workload& work, int64_t chains) {
  const int64_t members = work.shares_context ? work.group_size : 1;
  return (chains + members - 1) / members;
}

/** A time at which a denoising step has most branches. */
double fullest_time(const Workload& work) {
  const std::vector<double>& grid = work.episode.schedule.grid;
  double fullest = grid.front();
  for (size_t k = 0; k + 1 < grid.size(); ++k) {
    if (uses_image_guidance(work.guidance, grid[k])) return grid[k];
    if (uses_text_guidance(work.guidance, grid[k])) fullest = grid[k];
  }
  return fullest;
}

int64_t cache_capacity(const Workload& work, int64_t chains, int64_t think_tokens) {
  const int64_t contexts = contexts_in(work, chains);
  CacheRows rows;
  rows.append(contexts * token_count(work.context.full));
  // im_start, the thought, and the im_end of one that was cut off.
  for (int64_t token = 0; work.stage.write && token < think_tokens + 2; ++token) rows.append(chains);
  if (!work.stage.paint) return rows.capacity();
  if (work.guidance.text_scale > 1) rows.append(contexts * token_count(work.context.text_dropped));
  if (work.guidance.text_scale > 1 && work.guidance.image_scale > 1)
    rows.append(contexts * token_count(work.context.image_dropped));
  rows.reserve(token_count(denoise_pack(work, chains, think_tokens, fullest_time(work))));
  return rows.capacity();
}

int64_t width_of(const ResBlock& block, bool out) {
  return block.conv1.weight.size(out ? 0 : 1);
}

/** Channels alive at once in a block: its input, the normalised one and its SiLU; later both halves. */
int64_t channels_in(const ResBlock& block) {
  const int64_t in = width_of(block, false), out = width_of(block, true);
  return std::max(3 * in, in + 3 * out);
}

}  // namespace

int64_t autoencoder_decode_bytes(const Autoencoder& autoencoder, int64_t images, int64_t pixels) {
  const Decoder& decoder = autoencoder.decoder;
  int64_t most = 0;  // numbers of one image
  int64_t here = pixels;
  for (size_t i = 0; i < decoder.levels.size(); ++i, here /= 4) {
    for (const ResBlock& block : decoder.levels[i].blocks) most = std::max(most, channels_in(block) * here);
    // Below: its maps, the same at this size, and their convolution.
    if (i + 1 < decoder.levels.size()) {
      const int64_t width = decoder.levels[i + 1].resample->weight.size(0);
      most = std::max(most, width * (here / 4 + 2 * here));
    }
  }
  most = std::max(most, 3 * decoder.norm_out.weight.numel() * pixels);
  return most * std::min(images, images_decoded_at_once(pixels)) * decoder.conv_in.weight.element_size();
}

RolloutBytes rollout_bytes(const Bagel& model, const Workload& work, int64_t chains, int64_t think_tokens,
                           Kernels kernels) {
  const ModelConfig& config = model.config;
  const auto number = static_cast<int64_t>(model.embed_tokens.element_size());
  const auto pass = [&](const std::vector<Segment>& pack, int64_t cache_rows) {
    return forward_bytes(model, pack_shape(lay_out(pack, cache_rows), 0), kernels);
  };
  RolloutBytes bytes;
  const int64_t capacity = cache_capacity(work, chains, think_tokens);
  bytes.cache = 2 * config.layers * capacity * config.kv_heads * config.head_dim * number;
  bytes.texts = pass(prefill_pack(work, chains), 0);
  if (work.stage.write) {
    // Logits as they are computed, in float32, their scores, and three copies in float64 of which tokens are picked.
    const int64_t picking = chains * config.vocabulary * (number + 3 * kFloatBytes + 3 * kDoubleBytes);
    bytes.texts = std::max({bytes.texts, picking, pass(decode_pack(work, chains, think_tokens), capacity)});
  }
  if (!work.stage.paint) return bytes;
  bytes.denoise = pass(denoise_pack(work, chains, think_tokens, fullest_time(work)), capacity);
  const int64_t side = work.grid * latent_token_pixels(config);
  bytes.decode = autoencoder_decode_bytes(model.autoencoder, chains, side * side);
  return bytes;
}

int64_t trajectory_bytes(const Workload& work) {
  if (!work.stage.paint) return 0;
  const int64_t maps = 1 + 3 * work.episode.schedule.window_size;
  return maps * work.latent_tokens() * work.channels * kFloatBytes;
}

int64_t chain_value_bytes(const Workload& work) {
  const bool paints = work.stage.paint && work.replay.with_image;
  const int64_t velocities = paints ? work.episode.schedule.window_size * work.latent_tokens() * work.channels : 0;
  const int64_t logprobs = work.stage.write && work.replay.with_text ? work.episode.text.max_tokens : 0;
  return (velocities + logprobs) * kFloatBytes;
}

}  // namespace diptych
