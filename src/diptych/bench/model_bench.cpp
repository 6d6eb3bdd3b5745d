#include "diptych/tensor/torch.h"

#include "diptych/bench/model_bench.h"

#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/rollout/image_sampler.h"
#include "diptych/rollout/text_sampler.h"
#include "diptych/tensor/packs.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

constexpr const char* kShortPrompt = "three red circles";
constexpr const char* kInstruction = "replace the red circle with a blue square";

/** A picture of the smallest size that the model takes as it is. */
Image picture(const ModelConfig& config) {
  const auto side = static_cast<int>(config.vae_transform.min_short);
  Image image{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * static_cast<size_t>(side) * 3)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 7);
  return image;
}

std::vector<Segment> edit_chain(const ModelFolder& folder) {
  return context_segments(folder.model, folder.tokenizer,
                          {{"", picture(folder.model.config)}, {kInstruction, std::nullopt}}, {.seed = kBenchSeed});
}

/** The prompt, prefilled, once for each of `count` samples that share it. */
std::vector<CachedContext> shared_prompt(const ModelFolder& folder, KvCache& cache, int64_t count) {
  std::vector<CachedContext> contexts(1);
  prefill(folder.model, cache, text_chains({text_ids(folder.tokenizer, kShortPrompt)}), contexts);
  return std::vector<CachedContext>(static_cast<size_t>(count), contexts.front());
}

/** How rollouts deal `batch` chains over packs: one pack a thread. */
std::vector<int64_t> pack_sizes(const Bagel& model, int64_t batch) {
  const int64_t packs = packs_at_once(model.embed_tokens.device(), batch);
  std::vector<int64_t> sizes;
  for (int64_t pack = 0; pack < packs; ++pack) sizes.push_back(batch * (pack + 1) / packs - batch * pack / packs);
  return sizes;
}

}  // namespace

BenchRow decode_row(const BenchInput& input, const std::string& name, int64_t batch, int64_t tokens) {
  // No trained model writes this marker, so that all texts run to their full length.
  Bagel model = input.folder.model;
  model.special.im_end = model.special.vision_end;
  const TextSampling sampling{.max_tokens = tokens};
  struct Pack {
    KvCache cache;
    std::vector<CachedContext> prompts, contexts;
    std::vector<StreamKey> keys;
    std::vector<SampledText> texts;
  };
  std::vector<Pack> packs;
  for (const int64_t count : pack_sizes(model, batch)) {
    Pack& pack = packs.emplace_back();
    pack.cache = make_cache(model);
    pack.prompts = shared_prompt(input.folder, pack.cache, count);
    for (int64_t i = 0; i < count; ++i) pack.keys.push_back({.seed = kBenchSeed, .sample = static_cast<uint64_t>(i)});
  }
  const int64_t prompt_rows = packs.front().cache.used;
  const double seconds = median_seconds(input.device(), input.effort.repeats, [&] {
    for_each_pack(model.embed_tokens.device(), static_cast<int64_t>(packs.size()), [&](int64_t number) {
      Pack& pack = packs[static_cast<size_t>(number)];
      pack.cache.used = prompt_rows;
      pack.contexts = pack.prompts;
      pack.texts = sample_texts(model, pack.cache, pack.contexts, sampling, pack.keys);
    });
  });

  double sampled = 0, fed = 0, operations = 0;
  for (const Pack& pack : packs) {
    std::vector<Segment> half_way;
    double fed_here = 0;
    for (size_t i = 0; i < pack.texts.size(); ++i) {
      sampled += static_cast<double>(pack.texts[i].tokens.size());
      fed_here += static_cast<double>(pack.contexts[i].rows.size() - pack.prompts[i].rows.size());
      half_way.push_back(text_segment({model.special.im_start}, -1, pack.contexts[i].position));
      half_way.back().cached = pack.contexts[i].rows;
      half_way.back().cached.resize((pack.contexts[i].rows.size() + pack.prompts[i].rows.size()) / 2);
    }
    operations +=
        fed_here * pack_flops(model.config, half_way, pack.cache.used) / static_cast<double>(pack.texts.size());
    fed += fed_here;
  }
  return matrix_row(input, name, cat(batch, batch == 1 ? " text of " : " texts of ", tokens, " tokens"), "token",
                    sampled, seconds, operations + logits_flops(model.config, fed));
}

BenchRow denoise_row(const BenchInput& input, const std::string& name, int64_t batch, int64_t side) {
  const Bagel& model = input.folder.model;
  const int64_t grid = side / latent_token_pixels(model.config);
  const double time = 0.5;
  struct Pack {
    KvCache cache;
    std::vector<ImageTask> tasks;
    Tensor x;
  };
  std::vector<Pack> packs;
  double operations = 0;
  for (const int64_t count : pack_sizes(model, batch)) {
    Pack& pack = packs.emplace_back();
    pack.cache = make_cache(model);
    std::vector<Tensor> starts;
    std::vector<Segment> segments;
    for (const CachedContext& prompt : shared_prompt(input.folder, pack.cache, count)) {
      pack.tasks.push_back({prompt, {}, {}, grid, grid, {.seed = kBenchSeed, .sample = pack.tasks.size()}});
      starts.push_back(initial_noise(pack.tasks.back(), latent_token_width(model.config)));
      segments.push_back(noisy_segment(starts.back(), grid, grid, time, -1, prompt.position));
      segments.back().cached = prompt.rows;
    }
    pack.x = at::cat(starts).to(input.device());
    operations += pack_flops(model.config, segments, pack.cache.used);
  }
  const double seconds = median_seconds(input.device(), input.effort.repeats, [&] {
    for_each_pack(model.embed_tokens.device(), static_cast<int64_t>(packs.size()), [&](int64_t number) {
      Pack& pack = packs[static_cast<size_t>(number)];
      denoise_velocity(model, pack.cache, pack.tasks, pack.x, time, {});
    });
  });
  return matrix_row(input, name,
                    cat("1 step of ", batch, batch == 1 ? " image of " : " images of ", grid * grid, " tokens"),
                    "image", static_cast<double>(batch), seconds, operations);
}

std::vector<BenchRow> bench_autoencoder(const BenchInput& input) {
  const Bagel& model = input.folder.model;
  const at::NoGradGuard no_grad;
  const int64_t side = model.config.vae_transform.min_short, batch = input.effort.batch;
  const int64_t latent_side = side / model.config.vae.downsample;
  const at::TensorOptions options = model.autoencoder.encoder.conv_in.weight.options();
  const Tensor pixels = normal_tensor({.seed = kBenchSeed}, {batch, 3, side, side}).to(options);
  const Tensor eps =
      normal_tensor({.seed = kBenchSeed + 1}, {batch, model.config.vae.z_channels, latent_side, latent_side})
          .to(options);
  // In parts of one a thread, as rollouts do.
  const int64_t parts = packs_at_once(pixels.device(), batch);
  const std::vector<Tensor> pixel_parts = pixels.chunk(parts), eps_parts = eps.chunk(parts);
  const auto timed = [&](const std::function<void(size_t)>& work) {
    return median_seconds(input.device(), input.effort.repeats, [&] {
      for_each_pack(pixels.device(), static_cast<int64_t>(eps_parts.size()),
                    [&](int64_t part) { work(static_cast<size_t>(part)); });
    });
  };
  const double encoding = timed([&](size_t part) { encode(model.autoencoder, pixel_parts[part], eps_parts[part]); });
  const double decoding = timed([&](size_t part) { decode(model.autoencoder, eps_parts[part]); });
  const AutoencoderFlops flops = autoencoder_flops(model.autoencoder, side * side);
  const auto count = static_cast<double>(batch);
  const std::string work = cat(batch, " images of ", side, " pixels");
  return {matrix_row(input, "autoencoder encode", work, "image", count, encoding, count * flops.encode),
          matrix_row(input, "autoencoder decode", work, "image", count, decoding, count * flops.decode)};
}

std::vector<BenchRow> bench_vit(const BenchInput& input) {
  const Bagel& model = input.folder.model;
  if (!model.vit) return {};
  const at::NoGradGuard no_grad;
  std::vector<Segment> chain;
  append_image(chain, model, encode_images(model, {picture(model.config)}, {{.seed = kBenchSeed}}).front());
  const Segment& block = chain.back();
  const int64_t batch = input.effort.batch;
  const Tensor rows = at::arange(block.grid_height).mul(model.config.vit_max_patches_per_side).unsqueeze(1);
  const Tensor positions = (rows + at::arange(block.grid_width)).flatten().repeat({batch}).to(input.device());
  const Tensor patches = block.content.repeat({batch, 1}).to(compute_options(model));
  const std::vector<int64_t> lengths(static_cast<size_t>(batch), block.content.size(0));
  const double seconds = median_seconds(input.device(), input.effort.repeats, [&] {
    connect(*model.vit, vit_forward(*model.vit, model.config, patches, positions, lengths));
  });
  return {matrix_row(input, "vit", cat(batch, " images of ", block.content.size(0), " patches"), "image",
                     static_cast<double>(batch), seconds, vit_flops(model.config, lengths))};
}

std::vector<BenchRow> bench_edit_context(const BenchInput& input) {
  const Bagel& model = input.folder.model;
  const int64_t batch = input.effort.batch;
  const std::vector<std::vector<Segment>> chains(static_cast<size_t>(batch), edit_chain(input.folder));
  int64_t tokens = 0;
  for (const Segment& segment : chains.front()) tokens += token_count(segment);
  const double encode = median_seconds(input.device(), input.effort.repeats, [&] { edit_chain(input.folder); });
  const double pack = median_seconds(input.device(), input.effort.repeats, [&] {
    KvCache cache = make_cache(model);
    std::vector<CachedContext> contexts(chains.size());
    prefill(model, cache, chains, contexts);
  });
  const double operations = static_cast<double>(batch) * pack_flops(model.config, chains.front(), 0);
  const auto count = static_cast<double>(batch);
  return {{"edit_context encode", "resize, autoencoder and patches of 1 image", "context", encode, std::nullopt,
           std::nullopt, ""},
          matrix_row(input, "edit_context prefill", cat(batch, " contexts of ", tokens, " tokens"), "context", count,
                     pack, operations),
          {"edit_context", "both", "context", encode + pack / count, std::nullopt, std::nullopt, ""}};
}

std::vector<BenchRow> bench_prefill(const BenchInput& input) {
  const Bagel& model = input.folder.model;
  const std::vector<Segment> chain = text_chains({text_ids(input.folder.tokenizer, kShortPrompt)}).front();
  const std::vector<int64_t> sizes = pack_sizes(model, input.effort.batch);
  const double seconds = median_seconds(input.device(), input.effort.repeats, [&] {
    for_each_pack(model.embed_tokens.device(), static_cast<int64_t>(sizes.size()), [&](int64_t pack) {
      const std::vector<std::vector<Segment>> chains(static_cast<size_t>(sizes[static_cast<size_t>(pack)]), chain);
      KvCache cache = make_cache(model);
      std::vector<CachedContext> contexts(chains.size());
      prefill(model, cache, chains, contexts);
    });
  });
  const int64_t tokens = token_count(chain.front());
  const auto count = static_cast<double>(input.effort.batch);
  return {matrix_row(input, "prefill", cat(input.effort.batch, " prompts of ", tokens, " tokens"), "token",
                     count * static_cast<double>(tokens), seconds, count * pack_flops(model.config, chain, 0))};
}

std::vector<BenchRow> bench_decode(const BenchInput& input) {
  return {decode_row(input, "decode", input.effort.batch, input.effort.tokens),
          decode_row(input, "decode alone", 1, input.effort.tokens)};
}

std::vector<BenchRow> bench_denoise(const BenchInput& input) {
  const int64_t side = input.folder.model.config.vae_transform.min_short;
  return {denoise_row(input, "denoise", input.effort.batch, side), denoise_row(input, "denoise alone", 1, side)};
}

}  // namespace diptych
