#include "diptych/rollout/episode.h"

#include <span>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/rollout/stage_context.h"
#include "diptych/tensor/packs.h"
#include "diptych/text/think.h"

namespace diptych {

namespace {

// Rounds of one episode draw from disjoint positions.
constexpr uint64_t kPositionsPerRound = uint64_t{1} << 32;

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

// Spare vocabulary rows can be sampled by a poor model, but have no text.
std::string readable(const SampledText& text, const Tokenizer& tokenizer) {
  std::vector<int64_t> ids;
  for (int64_t id : text.tokens)
    if (id < tokenizer.size() && id != tokenizer.im_end()) ids.push_back(id);
  return tokenizer.decode(ids);
}

/** One rollout while it is made. */
class Sampler {
 public:
  Sampler(const Bagel& model, const Tokenizer& tokenizer, const RolloutRequest& request)
      : model_(model), tokenizer_(tokenizer), request_(request), options_(request.options) {}

  Rollout run();

 private:
  StreamKey key(const Stage& stage) const {
    return {.seed = request_.seed,
            .purpose = Purpose::think,
            .step = request_.step,
            .prompt = request_.prompts[static_cast<size_t>(stage.prompt)].occurrence,
            .sample = static_cast<uint64_t>(stage.sample),
            .position = static_cast<uint64_t>(stage.round) * kPositionsPerRound};
  }
  void add_first_round();
  void add_round(const StageProgram& program, size_t begin, size_t end);
  void sample_round(const StageProgram& program, size_t begin);
  void sample_pack(const StageProgram& program, size_t begin, size_t end);
  void write(const StageProgram& program, KvCache& cache, size_t begin, std::vector<CachedContext>& contexts);
  void paint(KvCache& cache, size_t begin, const std::vector<CachedContext>& contexts);

  const Bagel& model_;
  const Tokenizer& tokenizer_;
  const RolloutRequest& request_;
  const EpisodeOptions& options_;
  Rollout rollout_;
};

void Sampler::add_first_round() {
  const StageProgram& program = options_.program.stages.front();
  for (size_t p = 0; p < request_.prompts.size(); ++p) {
    const EpisodePrompt& prompt = request_.prompts[p];
    Stage stage;
    stage.prompt = static_cast<int64_t>(p);
    stage.round = options_.first_round;
    stage.context = static_cast<int64_t>(p);
    stage.candidate.prompt = prompt.text;
    rollout_.contexts.push_back(
        stage_context(model_, tokenizer_, options_, program, {prompt.text, prompt.sources, key(stage)}));
    stage.guidance = has_image(rollout_.contexts.back()) ? options_.edit_guidance : options_.guidance;
    for (int64_t k = 0; k < request_.group_size; ++k) {
      stage.sample = options_.first_sample + k;
      rollout_.stages.push_back(stage);
    }
  }
}

void Sampler::add_round(const StageProgram& program, size_t begin, size_t end) {
  for (size_t i = begin; i < end; ++i) {
    if (rollout_.stages[i].end != StageEnd::painted) continue;
    Stage stage;
    stage.prompt = rollout_.stages[i].prompt;
    stage.sample = rollout_.stages[i].sample;
    stage.round = rollout_.stages[i].round + 1;
    stage.context = static_cast<int64_t>(rollout_.contexts.size());
    stage.candidate.prompt = rollout_.stages[i].candidate.prompt;
    stage.guidance = options_.edit_guidance;
    rollout_.contexts.push_back(
        stage_context(model_, tokenizer_, options_, program,
                      {stage.candidate.prompt, {rollout_.stages[i].candidate.images.back()}, key(stage)}));
    rollout_.stages.push_back(std::move(stage));
  }
}

void Sampler::write(const StageProgram& program, KvCache& cache, size_t begin, std::vector<CachedContext>& contexts) {
  std::vector<StreamKey> keys;
  for (size_t k = 0; k < contexts.size(); ++k) keys.push_back(key(rollout_.stages[begin + k]));
  std::vector<SampledText> texts = sample_texts(model_, cache, contexts, options_.text, keys);
  for (size_t k = 0; k < texts.size(); ++k) {
    Stage& stage = rollout_.stages[begin + k];
    stage.candidate.texts = {readable(texts[k], tokenizer_)};
    stage.text = std::move(texts[k]);
    if (!program.paint) stage.end = StageEnd::answered;
    if (program.may_stop) stage.end = end_of_review(stage.candidate.texts.front(), options_.stop_answer);
  }
}

void Sampler::paint(KvCache& cache, size_t begin, const std::vector<CachedContext>& contexts) {
  std::vector<size_t> painted;
  for (size_t k = 0; k < contexts.size(); ++k)
    if (rollout_.stages[begin + k].end == StageEnd::painted) painted.push_back(k);
  if (painted.empty()) return;
  const std::span<const Stage> stages(&rollout_.stages[begin], contexts.size());
  const Guidance& guidance = stages.front().guidance;
  std::vector<CachedContext> text_dropped(contexts.size());
  std::vector<CachedContext> image_dropped(contexts.size());
  if (guidance.text_scale > 1)
    text_dropped = prefill_shared(model_, cache, rollout_.contexts, stages, &StageContext::text_dropped);
  if (guidance.text_scale > 1 && guidance.image_scale > 1)
    image_dropped = prefill_shared(model_, cache, rollout_.contexts, stages, &StageContext::image_dropped);
  std::vector<ImageTask> tasks;
  for (size_t k : painted) {
    ImageTask task;
    task.context = contexts[k];
    task.text_dropped = text_dropped[k];
    task.image_dropped = image_dropped[k];
    task.grid_height = latent_tokens(options_.image_height, model_, "height");
    task.grid_width = latent_tokens(options_.image_width, model_, "width");
    task.key = key(rollout_.stages[begin + k]);
    tasks.push_back(std::move(task));
  }
  std::vector<SampledImage> images = sample_images(model_, cache, tasks, options_.schedule, guidance);
  std::vector<Tensor> latents;
  for (const SampledImage& image : images) latents.push_back(image.latent);
  std::vector<Image> pixels = decode_latents(model_, latents, tasks.front().grid_height, tasks.front().grid_width);
  for (size_t k = 0; k < images.size(); ++k) {
    Stage& stage = rollout_.stages[begin + painted[k]];
    stage.image = std::move(images[k]);
    stage.candidate.images = {std::move(pixels[k])};
  }
}

void Sampler::sample_pack(const StageProgram& program, size_t begin, size_t end) {
  KvCache cache = make_cache(model_);
  const std::span<const Stage> stages(&rollout_.stages[begin], end - begin);
  std::vector<CachedContext> contexts = prefill_shared(model_, cache, rollout_.contexts, stages, &StageContext::full);
  if (program.write) write(program, cache, begin, contexts);
  if (program.paint) paint(cache, begin, contexts);
  if (request_.done) request_.done(rollout_, begin, end);
  if (options_.pack_done) options_.pack_done();
}

// Enough packs for all threads: what is sampled does not depend on the packing.
void Sampler::sample_round(const StageProgram& program, size_t begin) {
  const auto stages = static_cast<int64_t>(rollout_.stages.size() - begin);
  const at::Device device = model_.embed_tokens.device();
  const int64_t threads = std::max<int64_t>(1, packs_at_once(device, stages));
  const int64_t size = std::min(options_.chains_per_pack, (stages + threads - 1) / threads);
  for_each_pack(device, stages == 0 ? 0 : (stages + size - 1) / size, [&](int64_t pack) {
    const size_t first = begin + static_cast<size_t>(pack * size);
    sample_pack(program, first, std::min(rollout_.stages.size(), first + static_cast<size_t>(size)));
  });
}

Rollout Sampler::run() {
  TORCH_CHECK(!options_.program.stages.empty(), "roll_out: no episode was chosen");
  rollout_.prompts = static_cast<int64_t>(request_.prompts.size());
  rollout_.schedule = options_.schedule;
  add_first_round();
  sample_round(options_.program.stages.front(), 0);
  size_t begin = 0;
  for (size_t round = 1; round < options_.program.stages.size(); ++round) {
    const size_t end = rollout_.stages.size();
    add_round(options_.program.stages[round], begin, end);
    sample_round(options_.program.stages[round], end);
    begin = end;
  }
  return std::move(rollout_);
}

}  // namespace

StageEnd end_of_review(const std::string& text, const std::string& stop_answer) {
  const ThinkText parts = parse_think(text);
  if (!parts.well_formed || parts.answer.empty()) return StageEnd::unreadable;
  return parts.answer == stop_answer ? StageEnd::stopped : StageEnd::painted;
}

Rollout roll_out(const Bagel& model, const Tokenizer& tokenizer, const RolloutRequest& request) {
  return Sampler(model, tokenizer, request).run();
}

}  // namespace diptych
