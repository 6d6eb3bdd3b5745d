#include "diptych/tensor/torch.h"

#include "diptych/plan/workload.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/image/resize.h"
#include "diptych/rollout/context.h"
#include "diptych/rollout/stage_context.h"

namespace diptych {

namespace {

constexpr int64_t kCharactersAToken = 4;  // of English, for prompts that stand in the recipe

std::vector<int64_t> ids(int64_t count) {
  return std::vector<int64_t>(static_cast<size_t>(count));
}

// An image's patches, of which only the count matters.
Tensor patches(int64_t count) {
  return at::empty({count, 1}, at::TensorOptions().device(at::kMeta));
}

int64_t side_after(const ImageTransformConfig& transform, int64_t pixels) {
  const auto before = static_cast<int>(pixels);
  return resized_size(before, before, {transform.max_long, transform.min_short, transform.stride}).first;
}

StageContext planned_context(const ModelConfig& config, const EpisodeOptions& episode, const StageProgram& stage,
                             int64_t prompt_tokens, int64_t pixels) {
  StageContext context;
  const auto add_text = [&](int64_t tokens) {
    context.text_dropped = context.full;
    append_planned_text(context.full, tokens);
    append_planned_text(context.image_dropped, tokens);
  };
  for (const GivenPart given : stage.given) {
    switch (given) {
      case GivenPart::system_prompt:
        if (!episode.system_prompt.empty()) add_text(planned_tokens(episode.system_prompt));
        break;
      case GivenPart::request:
        add_text(prompt_tokens);
        break;
      case GivenPart::images:
        append_planned_image(context.full, config, pixels);
        break;
      case GivenPart::reflection_prompt:
        add_text(planned_tokens(episode.reflection_prompt) + prompt_tokens);
        break;
      case GivenPart::review_prompt:
        add_text(planned_tokens(episode.review_prompt) + prompt_tokens);
        break;
    }
  }
  return context;
}

int64_t grid_of(const ModelConfig& config, int64_t pixels) {
  const int64_t unit = latent_token_pixels(config);
  if (pixels % unit == 0 && pixels / unit <= config.max_latent_size) return pixels / unit;
  throw Error(ExitCode::config,
              {"rollout.image_size", cat("a multiple of ", unit, " up to ", unit * config.max_latent_size, " pixels"),
               cat(pixels), ""});
}

void add_copy(std::vector<Segment>& pack, const Workload& work, int64_t parent) {
  pack.push_back(planned_noisy_image(work.grid, parent));
  pack.back().detach_context = work.replay.detach_context && parent >= 0;
}

std::vector<double> window_times(const Workload& work) {
  const DenoiseSchedule& schedule = work.episode.schedule;
  const auto begin = schedule.grid.begin() + schedule.window_begin;
  return {begin, begin + schedule.window_size};
}

void check_think_tokens(const RlRecipe& recipe, const EpisodeProgram& program, int64_t tokens) {
  const int64_t cap = recipe.rollout.max_think_tokens;
  if (!writes(program) || tokens < 0 || (tokens > 0 && tokens <= cap)) return;
  throw Error(ExitCode::usage, {"--think-tokens", cat("1 to rollout.max_think_tokens = ", cap), cat(tokens),
                                tokens > cap ? "sampling stops at that cap; rollout.max_think_tokens=N moves it"
                                             : "an episode that does not think is rollout.episode=t2i"});
}

// Of the im_start that stands in front, and an im_end that a thought at its cap is given.
int64_t thought_rows(const Workload& work, int64_t think_tokens) {
  return work.stage.write ? think_tokens + kTextMarkers : 0;
}

}  // namespace

int64_t planned_tokens(const std::string& text) {
  return (static_cast<int64_t>(text.size()) + kCharactersAToken - 1) / kCharactersAToken;
}

void append_planned_text(std::vector<Segment>& chain, int64_t tokens) {
  append_text(chain, ids(tokens + kTextMarkers));
}

void append_planned_image(std::vector<Segment>& chain, const ModelConfig& config, int64_t pixels) {
  const int64_t latent = planned_grid(config, pixels);
  append_segment(chain, image_segment(SegmentKind::clean_latent, patches(latent * latent), latent, latent, -1, 0));
  if (!config.visual_und) return;
  const int64_t vit = side_after(config.vit_transform, pixels) / config.vit.patch;
  append_segment(chain, image_segment(SegmentKind::vit_image, patches(vit * vit), vit, vit, -1, 0));
}

Segment planned_noisy_image(int64_t grid, int64_t parent) {
  return noisy_segment(patches(grid * grid), grid, grid, 0.5, parent, 0);
}

int64_t planned_grid(const ModelConfig& config, int64_t pixels) {
  return side_after(config.vae_transform, pixels) / latent_token_pixels(config);
}

int64_t add_chain(std::vector<Segment>& pack, const std::vector<Segment>& chain) {
  const auto first = static_cast<int64_t>(pack.size());
  for (const Segment& segment : chain) {
    pack.push_back(segment);
    if (segment.parent >= 0) pack.back().parent += first;
  }
  return chain.empty() ? -1 : static_cast<int64_t>(pack.size()) - 1;
}

Workload workload_of(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options) {
  Workload work;
  work.episode = episode_options(recipe.rollout, 0);
  work.episode.schedule.window_begin = recipe.rollout.window_range[0];
  work.episode.schedule.window_size = recipe.rollout.window_size;
  const std::vector<StageProgram>& stages = work.episode.program.stages;
  work.stage = stages.back();
  work.stages = static_cast<int64_t>(stages.size());
  work.context = planned_context(config, work.episode, work.stage, options.prompt_tokens, recipe.rollout.image_size);
  work.guidance = has_image(work.context) ? work.episode.edit_guidance : work.episode.guidance;
  work.grid = grid_of(config, recipe.rollout.image_size);
  work.channels = latent_token_width(config);
  work.replay = update_options(recipe, work.episode, work.latent_tokens() * work.channels).replay;
  work.penalised = needs_reference(recipe.train);
  // As PolicyUpdate does.
  work.replays_old = recipe.train.old_logprob == "rollout" || recipe.train.mini_batches > 1 || recipe.train.epochs > 1;
  work.shares_context = stages.size() == 1;
  work.group_size = recipe.train.group_size;
  work.chains = (recipe.prompts.per_step + options.ranks - 1) / options.ranks * work.group_size;
  check_think_tokens(recipe, work.episode.program, options.think_tokens);
  work.think_tokens = options.think_tokens >= 0 ? options.think_tokens : recipe.rollout.max_think_tokens;
  return work;
}

std::optional<Workload> first_pictures(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options) {
  if (recipe.rollout.episode != "reflect") return std::nullopt;
  RlRecipe painting = recipe;
  painting.rollout.episode = recipe.refine.initial_episode;
  painting.train.group_size = recipe.refine.initial_images;
  return workload_of(config, painting, options);
}

int64_t idle_ranks(const RlRecipe& recipe, const PlanOptions& options) {
  return std::max<int64_t>(0, options.ranks - recipe.prompts.per_step);
}

std::vector<Segment> update_pack(const Workload& work, int64_t chains, int64_t think_tokens) {
  const bool paints = work.stage.paint && work.replay.with_image;
  const std::vector<double> times = window_times(work);
  const int64_t members = work.shares_context ? work.group_size : 1;
  std::vector<Segment> pack;
  int64_t context = -1;
  for (int64_t chain = 0; chain < chains; ++chain) {
    if (chain % members == 0) context = add_chain(pack, work.context.full);
    int64_t tail = context;
    if (work.stage.write) {
      pack.push_back(text_segment(ids(thought_rows(work, think_tokens)), tail, 0));
      tail = static_cast<int64_t>(pack.size()) - 1;
    }
    for (size_t k = 0; paints && k < times.size(); ++k) add_copy(pack, work, tail);
  }
  const auto add_dropped = [&](const std::vector<Segment>& dropped, auto acts) {
    int64_t tail = -1, held = -1;  // held: the context that `tail` ends
    for (int64_t chain = 0; chain < chains; ++chain) {
      for (size_t k = 0; k < times.size(); ++k) {
        if (!acts(work.guidance, times[k])) continue;
        if (chain / members != held) tail = add_chain(pack, dropped);
        held = chain / members;
        add_copy(pack, work, tail);
      }
    }
  };
  if (!paints) return pack;
  add_dropped(work.context.text_dropped, uses_text_guidance);
  add_dropped(work.context.image_dropped, uses_image_guidance);
  return pack;
}

std::vector<Segment> prefill_pack(const Workload& work, int64_t chains) {
  const int64_t members = work.shares_context ? work.group_size : 1;
  const int64_t contexts = (chains + members - 1) / members;
  std::vector<Segment> pack;
  for (int64_t context = 0; context < contexts; ++context) {
    add_chain(pack, work.context.full);
    if (work.guidance.text_scale <= 1) continue;
    add_chain(pack, work.context.text_dropped);
    if (work.guidance.image_scale > 1) add_chain(pack, work.context.image_dropped);
  }
  return pack;
}

std::vector<Segment> decode_pack(const Workload& work, int64_t chains, int64_t think_tokens) {
  Segment token = text_segment(ids(1), -1, 0);
  token.cached = ids(token_count(work.context.full) + think_tokens);
  return std::vector<Segment>(static_cast<size_t>(chains), token);
}

std::vector<Segment> denoise_pack(const Workload& work, int64_t chains, int64_t think_tokens, double time) {
  std::vector<Segment> pack;
  const auto add_branch = [&](int64_t cached) {
    Segment image = noisy_segment(patches(work.latent_tokens()), work.grid, work.grid, time, -1, 0);
    image.cached = ids(cached);
    pack.insert(pack.end(), static_cast<size_t>(chains), image);
  };
  add_branch(token_count(work.context.full) + thought_rows(work, think_tokens));
  if (uses_text_guidance(work.guidance, time)) add_branch(token_count(work.context.text_dropped));
  if (uses_image_guidance(work.guidance, time)) add_branch(token_count(work.context.image_dropped));
  return pack;
}

int64_t token_count(const std::vector<Segment>& chain) {
  int64_t count = 0;
  for (const Segment& segment : chain) count += token_count(segment);
  return count;
}

PackLayout lay_out(const std::vector<Segment>& pack, int64_t cache_rows) {
  return lay_out(pack, 0, 0, cache_rows, at::kCPU);
}

}  // namespace diptych
