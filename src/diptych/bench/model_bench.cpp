#include "diptych/tensor/torch.h"

#include "diptych/bench/model_bench.h"

#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/model/bagel/image_input.h"
#include "diptych/rollout/image_sampler.h"
#include "diptych/rollout/text_sampler.h"
#include "diptych/tensor/image_tensor.h"
#include "diptych/tensor/packs.h"
#include "diptych/tensor/random.h"

namespace diptych {

namespace {

constexpr const char* kShortPrompt = "three red circles";
constexpr const char* kInstruction = "replace the red circle with a blue square";

Image square_picture(int64_t pixels) {
  const auto side = static_cast<int>(pixels);
  Image image{side, side, std::vector<uint8_t>(static_cast<size_t>(side) * static_cast<size_t>(side) * 3)};
  for (size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<uint8_t>(i * 7);
  return image;
}

/** The side of a picture of the smallest size that the model takes as it is. */
int64_t smallest_side(const BenchInput& input) {
  return input.folder.model.config.vae_transform.min_short;
}

std::vector<Segment> edit_chain(const BenchInput& input) {
  return context_segments(input.folder.model, input.folder.tokenizer,
                          {{"", square_picture(smallest_side(input))}, {kInstruction, std::nullopt}},
                          {.seed = kBenchSeed});
}

/** The prompt, which all samples share, and behind it so many rows of each sample's own. */
std::vector<CachedContext> prefilled_contexts(const ModelFolder& folder, KvCache& cache,
                                              const std::vector<int64_t>& own) {
  const std::vector<int64_t> prompt = text_ids(folder.tokenizer, kShortPrompt);
  std::vector<CachedContext> shared(1);
  prefill(folder.model, cache, text_chains({prompt}), shared);
  std::vector<CachedContext> contexts(own.size(), shared.front());
  std::vector<std::vector<Segment>> thoughts(own.size());
  for (size_t i = 0; i < own.size(); ++i) {
    if (own[i] == 0) continue;
    std::vector<int64_t> ids;  // which they are does not matter
    while (static_cast<int64_t>(ids.size()) < own[i]) ids.push_back(prompt[ids.size() % prompt.size()]);
    append_text(thoughts[i], ids);
  }
  prefill(folder.model, cache, thoughts, contexts);
  return contexts;
}

/** How rollouts deal `batch` chains over packs: one pack a thread. */
std::vector<int64_t> pack_sizes(const Bagel& model, int64_t batch) {
  const int64_t packs = packs_at_once(model.embed_tokens.device(), batch);
  std::vector<int64_t> sizes;
  for (int64_t pack = 0; pack < packs; ++pack) sizes.push_back(batch * (pack + 1) / packs - batch * pack / packs);
  return sizes;
}

/** Samples in packs, each behind its context. */
struct PreparedPack {
  KvCache cache;
  int64_t rows = 0;  // of the cache in use
  std::vector<CachedContext> contexts;
};

std::vector<PreparedPack> prepared_packs(const BenchInput& input, const std::vector<int64_t>& own) {
  std::vector<PreparedPack> packs;
  auto next = own.begin();
  for (const int64_t count : pack_sizes(input.folder.model, static_cast<int64_t>(own.size()))) {
    PreparedPack& pack = packs.emplace_back();
    pack.cache = make_cache(input.folder.model);
    pack.contexts = prefilled_contexts(input.folder, pack.cache, {next, next + count});
    pack.rows = pack.cache.used;
    next += count;
  }
  return packs;
}

std::string counted(size_t count, const char* what) {
  return cat(count, ' ', what, count == 1 ? "" : "s");
}

}  // namespace

Decoding measure_decoding(const BenchInput& input, const std::vector<int64_t>& own, int64_t tokens) {
  // No trained model writes this marker, so that all texts run to their full length.
  Bagel model = input.folder.model;
  model.special.im_end = model.special.vision_end;
  const TextSampling sampling{.max_tokens = tokens};
  std::vector<PreparedPack> packs = prepared_packs(input, own);
  std::vector<std::vector<CachedContext>> ends(packs.size());
  std::vector<std::vector<SampledText>> texts(packs.size());
  Decoding decoding;
  decoding.measured = measure_calls(input, [&] {
    for_each_pack(input.device(), static_cast<int64_t>(packs.size()), [&](int64_t number) {
      const auto p = static_cast<size_t>(number);
      PreparedPack& pack = packs[p];
      pack.cache.used = pack.rows;
      ends[p] = pack.contexts;
      std::vector<StreamKey> keys;
      for (size_t i = 0; i < ends[p].size(); ++i) keys.push_back({.seed = kBenchSeed, .sample = i});
      texts[p] = sample_texts(model, pack.cache, ends[p], sampling, keys);
    });
  });

  for (size_t p = 0; p < packs.size(); ++p) {
    std::vector<Segment> halfway;
    double fed = 0;
    for (size_t i = 0; i < ends[p].size(); ++i) {
      const size_t begin = packs[p].contexts[i].rows.size(), end = ends[p][i].rows.size();
      halfway.push_back(text_segment({model.special.im_start}, -1, ends[p][i].position));
      halfway.back().cached = ends[p][i].rows;
      halfway.back().cached.resize((begin + end) / 2);
      decoding.tokens += static_cast<double>(texts[p][i].tokens.size());
      decoding.rows_halfway += static_cast<double>((begin + end) / 2);
      // Packs run beside each other, and so do the texts of a pack: the longest of all decides. It is fed the marker
      // in front of it and the one behind it, too.
      decoding.token_steps = std::max(decoding.token_steps, static_cast<double>(end - begin));
      fed += static_cast<double>(end - begin);
    }
    const double passes = fed / static_cast<double>(ends[p].size());
    decoding.operations +=
        passes * pack_flops(model.config, halfway, packs[p].cache.used) + logits_flops(model.config, fed);
  }
  return decoding;
}

void report_denoising(const BenchInput& input, const std::string& name, const std::vector<int64_t>& own, int64_t side) {
  const Bagel& model = input.folder.model;
  const int64_t grid = side / latent_token_pixels(model.config);
  const double time = 0.5;
  std::vector<PreparedPack> packs = prepared_packs(input, own);
  std::vector<std::vector<ImageTask>> tasks(packs.size());
  std::vector<Tensor> x;
  double operations = 0;
  for (size_t p = 0; p < packs.size(); ++p) {
    std::vector<Tensor> starts;
    std::vector<Segment> segments;
    for (const CachedContext& context : packs[p].contexts) {
      tasks[p].push_back({context, {}, {}, grid, grid, {.seed = kBenchSeed, .sample = tasks[p].size()}});
      starts.push_back(initial_noise(tasks[p].back(), latent_token_width(model.config)));
      segments.push_back(noisy_segment(starts.back(), grid, grid, time, -1, context.position));
      segments.back().cached = context.rows;
    }
    x.push_back(at::cat(starts).to(input.device()));
    operations += pack_flops(model.config, segments, packs[p].rows);
  }
  const Measured measured = measure_calls(input, [&] {
    for_each_pack(input.device(), static_cast<int64_t>(packs.size()), [&](int64_t number) {
      const auto p = static_cast<size_t>(number);
      denoise_velocity(model, packs[p].cache, tasks[p], x[p], time, {});
    });
  });
  input.report(matrix_row(input, name, cat("1 step of ", counted(own.size(), "image"), " of ", grid * grid, " tokens"),
                          "image", static_cast<double>(own.size()), measured, operations));
}

void report_autoencoder(const BenchInput& input, const std::string& name, int64_t batch, int64_t side) {
  const Bagel& model = input.folder.model;
  const at::NoGradGuard no_grad;
  const int64_t latent_side = side / model.config.vae.downsample;
  const at::TensorOptions options = model.autoencoder.encoder.conv_in.weight.options();
  const Tensor pixels = normal_tensor({.seed = kBenchSeed}, {batch, 3, side, side}).to(options);
  const Tensor eps =
      normal_tensor({.seed = kBenchSeed + 1}, {batch, model.config.vae.z_channels, latent_side, latent_side})
          .to(options);
  // In parts of one a thread, as rollouts do.
  const int64_t parts = packs_at_once(pixels.device(), batch);
  const std::vector<Tensor> pixel_parts = pixels.chunk(parts), eps_parts = eps.chunk(parts);
  const AutoencoderFlops flops = autoencoder_flops(model.autoencoder, side * side);
  const auto report = [&](const std::string& half, double operations, const std::function<void(size_t)>& work) {
    const Measured measured = measure_calls(input, [&] {
      for_each_pack(pixels.device(), static_cast<int64_t>(eps_parts.size()),
                    [&](int64_t part) { work(static_cast<size_t>(part)); });
    });
    const auto count = static_cast<double>(batch);
    input.report(matrix_row(input, name + half, cat(batch, " images of ", side, " pixels"), "image", count, measured,
                            count * operations));
  };
  report(" encode", flops.encode, [&](size_t part) { encode(model.autoencoder, pixel_parts[part], eps_parts[part]); });
  report(" decode", flops.decode, [&](size_t part) { decode(model.autoencoder, eps_parts[part]); });
}

void report_vit(const BenchInput& input, const std::string& name, int64_t batch, int64_t side) {
  const Bagel& model = input.folder.model;
  const at::NoGradGuard no_grad;
  const Segment image = vit_segment(model, image_to_tensor(resized(square_picture(side), model.config.vit_transform)));
  const Tensor rows = at::arange(image.grid_height).mul(model.config.vit_max_patches_per_side).unsqueeze(1);
  const Tensor positions = (rows + at::arange(image.grid_width)).flatten().repeat({batch}).to(input.device());
  const Tensor patches = image.content.repeat({batch, 1}).to(compute_options(model));
  const std::vector<int64_t> lengths(static_cast<size_t>(batch), image.content.size(0));
  const Measured measured = measure_calls(
      input, [&] { connect(*model.vit, vit_forward(*model.vit, model.config, patches, positions, lengths)); });
  input.report(matrix_row(input, name, cat(batch, " images of ", image.content.size(0), " patches"), "image",
                          static_cast<double>(batch), measured, vit_flops(model.config, lengths)));
}

void bench_autoencoder(const BenchInput& input) {
  report_autoencoder(input, "autoencoder", input.effort.batch, smallest_side(input));
}

void bench_vit(const BenchInput& input) {
  if (input.folder.model.vit) report_vit(input, "vit", input.effort.batch, smallest_side(input));
}

void bench_edit_context(const BenchInput& input) {
  const Bagel& model = input.folder.model;
  const int64_t batch = input.effort.batch;
  const std::vector<std::vector<Segment>> chains(static_cast<size_t>(batch), edit_chain(input));
  int64_t tokens = 0;
  for (const Segment& segment : chains.front()) tokens += token_count(segment);
  const Measured encode = measure_calls(input, [&] { edit_chain(input); });
  input.report({"edit_context encode", "resize, autoencoder and patches of 1 image", "context", encode.seconds,
                std::nullopt, std::nullopt, ""});
  const Measured pack = measure_calls(input, [&] {
    KvCache cache = make_cache(model);
    std::vector<CachedContext> contexts(chains.size());
    prefill(model, cache, chains, contexts);
  });
  const double operations = static_cast<double>(batch) * pack_flops(model.config, chains.front(), 0);
  const auto count = static_cast<double>(batch);
  input.report(matrix_row(input, "edit_context prefill", cat(batch, " contexts of ", tokens, " tokens"), "context",
                          count, pack, operations));
  input.report(
      {"edit_context", "both", "context", encode.seconds + pack.seconds / count, std::nullopt, std::nullopt, ""});
}

void bench_prefill(const BenchInput& input) {
  const Bagel& model = input.folder.model;
  const std::vector<Segment> chain = text_chains({text_ids(input.folder.tokenizer, kShortPrompt)}).front();
  const std::vector<int64_t> sizes = pack_sizes(model, input.effort.batch);
  const Measured measured = measure_calls(input, [&] {
    for_each_pack(model.embed_tokens.device(), static_cast<int64_t>(sizes.size()), [&](int64_t pack) {
      const std::vector<std::vector<Segment>> chains(static_cast<size_t>(sizes[static_cast<size_t>(pack)]), chain);
      KvCache cache = make_cache(model);
      std::vector<CachedContext> contexts(chains.size());
      prefill(model, cache, chains, contexts);
    });
  });
  const int64_t tokens = token_count(chain.front());
  const auto count = static_cast<double>(input.effort.batch);
  input.report(matrix_row(input, "prefill", cat(input.effort.batch, " prompts of ", tokens, " tokens"), "token",
                          count * static_cast<double>(tokens), measured, count * pack_flops(model.config, chain, 0)));
}

void bench_decode(const BenchInput& input) {
  for (const int64_t batch : {input.effort.batch, int64_t{1}}) {
    const std::vector<int64_t> own(static_cast<size_t>(batch));
    const Decoding decoding = measure_decoding(input, own, input.effort.tokens);
    input.report(matrix_row(input, batch == 1 ? "decode alone" : "decode",
                            cat(counted(own.size(), "text"), " of ", input.effort.tokens, " tokens"), "token",
                            decoding.tokens, decoding.measured, decoding.operations));
  }
}

void bench_denoise(const BenchInput& input) {
  report_denoising(input, "denoise", std::vector<int64_t>(static_cast<size_t>(input.effort.batch)),
                   smallest_side(input));
  report_denoising(input, "denoise alone", {0}, smallest_side(input));
}

}  // namespace diptych
