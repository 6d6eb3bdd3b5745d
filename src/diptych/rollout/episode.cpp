#include "diptych/rollout/episode.h"

#include <map>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

int64_t latent_tokens(int64_t pixels, const Bagel& model, const char* side) {
  const int64_t unit = latent_token_pixels(model.config);
  const int64_t tokens = pixels / unit;
  if (pixels <= 0 || pixels % unit != 0 || tokens > model.config.max_latent_size)
    throw Error(
        ExitCode::config,
        {cat("image ", side), cat("a multiple of ", unit, " up to ", unit * model.config.max_latent_size, " pixels"),
         cat(pixels), ""});
  return tokens;
}

struct Pack {
  size_t begin = 0;
  size_t end = 0;
};

// Prefills the distinct prompts of the chains once, and gives every chain its own copy of the row list.
std::vector<CachedContext> prompt_contexts(const Bagel& model, KvCache& cache, const Rollout& rollout,
                                           const Pack& pack) {
  std::map<int64_t, size_t> place;
  std::vector<std::vector<int64_t>> texts;
  for (size_t i = pack.begin; i < pack.end; ++i) {
    const int64_t prompt = rollout.chains[i].prompt;
    if (place.emplace(prompt, texts.size()).second) texts.push_back(rollout.prompt_ids[prompt]);
  }
  std::vector<CachedContext> prefilled(texts.size());
  prefill_texts(model, cache, texts, prefilled);
  std::vector<CachedContext> contexts;
  for (size_t i = pack.begin; i < pack.end; ++i) contexts.push_back(prefilled[place.at(rollout.chains[i].prompt)]);
  return contexts;
}

// Without text, the image sees the system prompt alone when thinking is on, and nothing otherwise (bagel.md 8.1).
CachedContext text_dropped_context(const Bagel& model, KvCache& cache, const Tokenizer& tokenizer,
                                   const EpisodeOptions& options) {
  std::vector<CachedContext> context(1);
  if (options.guidance.text_scale > 1 && options.think && !options.system_prompt.empty())
    prefill_texts(model, cache, {text_ids(tokenizer, options.system_prompt)}, context);
  return context.front();
}

// Spare vocabulary rows can be sampled by a poor model, but have no text.
std::string readable(const SampledText& text, const Tokenizer& tokenizer) {
  std::vector<int64_t> ids;
  for (int64_t id : text.tokens)
    if (id < tokenizer.size() && id != tokenizer.im_end()) ids.push_back(id);
  return tokenizer.decode(ids);
}

void sample_pack(const Bagel& model, const Tokenizer& tokenizer, const EpisodeOptions& options,
                 const std::vector<StreamKey>& keys, const Pack& pack, Rollout& rollout) {
  KvCache cache = make_cache(model);
  std::vector<CachedContext> contexts = prompt_contexts(model, cache, rollout, pack);
  if (options.think) {
    std::vector<StreamKey> think_keys(keys.begin() + pack.begin, keys.begin() + pack.end);
    for (StreamKey& key : think_keys) key.purpose = Purpose::think;
    std::vector<SampledText> texts = sample_texts(model, cache, contexts, options.text, think_keys);
    for (size_t k = 0; k < texts.size(); ++k) {
      Trajectory& chain = rollout.chains[pack.begin + k];
      chain.candidate.texts = {readable(texts[k], tokenizer)};
      chain.thinking = std::move(texts[k]);
    }
  }
  const CachedContext text_dropped = text_dropped_context(model, cache, tokenizer, options);
  std::vector<ImageTask> tasks;
  for (size_t k = 0; k < contexts.size(); ++k) {
    ImageTask task;
    task.context = contexts[k];
    task.text_dropped = text_dropped;
    task.image_dropped = contexts[k];
    task.grid_height = latent_tokens(options.image_height, model, "height");
    task.grid_width = latent_tokens(options.image_width, model, "width");
    task.key = keys[pack.begin + k];
    tasks.push_back(std::move(task));
  }
  std::vector<SampledImage> images = sample_images(model, cache, tasks, options.schedule, options.guidance);
  std::vector<Tensor> latents;
  for (const SampledImage& image : images) latents.push_back(image.latent);
  std::vector<Image> pixels = decode_latents(model, latents, tasks.front().grid_height, tasks.front().grid_width);
  for (size_t k = 0; k < images.size(); ++k) {
    rollout.chains[pack.begin + k].image = std::move(images[k]);
    rollout.chains[pack.begin + k].candidate.images = {std::move(pixels[k])};
  }
}

}  // namespace

Rollout roll_out(const Bagel& model, const Tokenizer& tokenizer, const std::vector<EpisodePrompt>& prompts,
                 int64_t group_size, const EpisodeOptions& options, uint64_t seed, uint64_t step) {
  Rollout rollout;
  rollout.group_size = group_size;
  rollout.schedule = options.schedule;
  std::vector<StreamKey> keys;
  for (size_t p = 0; p < prompts.size(); ++p) {
    rollout.prompt_ids.push_back(
        prompt_ids(tokenizer, options.think ? options.system_prompt : std::string(), prompts[p].text));
    for (int64_t g = 0; g < group_size; ++g) {
      Trajectory chain;
      chain.prompt = static_cast<int64_t>(p);
      chain.sample = g;
      chain.candidate.prompt = prompts[p].text;
      rollout.chains.push_back(std::move(chain));
      keys.push_back({.seed = seed,
                      .purpose = Purpose::think,
                      .step = step,
                      .prompt = prompts[p].occurrence,
                      .sample = static_cast<uint64_t>(g)});
    }
  }
  const size_t pack_size = static_cast<size_t>(options.chains_per_pack);
  for (size_t begin = 0; begin < rollout.chains.size(); begin += pack_size)
    sample_pack(model, tokenizer, options, keys, {begin, std::min(rollout.chains.size(), begin + pack_size)}, rollout);
  return rollout;
}

}  // namespace diptych
