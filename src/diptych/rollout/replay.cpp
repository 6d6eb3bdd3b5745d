#include "diptych/rollout/replay.h"

#include <algorithm>
#include <map>

#include "diptych/model/bagel/flops.h"
#include "diptych/model/bagel/text_head.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

/** The end of a segment chain in the pack: what comes next hangs there. */
struct Tail {
  int64_t segment = -1;
  int64_t position = 0;
};

/** The noisy copies of one stage, as segments of the pack; -1: guidance does not act at the step. */
struct NoisyCopies {
  std::vector<int64_t> full, text_dropped, image_dropped;  // one per window step
};

struct ReplayPack {
  std::vector<Segment> segments;
  std::vector<int64_t> texts;       // segment of each stage's sampled text; -1 without
  std::vector<NoisyCopies> copies;  // of each stage
};

class Packer {
 public:
  Packer(const Bagel& model, const Rollout& rollout, const ReplayOptions& options)
      : model_(model), rollout_(rollout), options_(options) {}

  ReplayPack pack(const std::vector<size_t>& stages) {
    for (size_t index : stages) add_stage(rollout_.stages[index]);
    if (!options_.with_image) return std::move(pack_);
    // Behind all conditional copies, so that without guidance nothing moves.
    for (size_t c = 0; c < stages.size(); ++c) add_dropped(rollout_.stages[stages[c]], pack_.copies[c]);
    return std::move(pack_);
  }

 private:
  using Branch = SegmentChain StageContext::*;

  // The segment chain of a context, once per pack.
  Tail context(int64_t number, Branch branch, std::map<int64_t, Tail>& known) {
    const auto [found, fresh] = known.emplace(number, Tail{});
    if (!fresh) return found->second;
    const auto first = static_cast<int64_t>(pack_.segments.size());
    for (const Segment& segment : rollout_.contexts[static_cast<size_t>(number)].*branch) {
      pack_.segments.push_back(segment);
      if (segment.parent >= 0) pack_.segments.back().parent += first;
      found->second = {static_cast<int64_t>(pack_.segments.size()) - 1, next_position(segment)};
    }
    return found->second;
  }

  int64_t add_copy(const SampledImage& image, int64_t step, const Tail& tail) {
    Segment copy =
        noisy_segment(image.states[step], image.grid_height, image.grid_width, time(step), tail.segment, tail.position);
    copy.detach_context = options_.detach_context && tail.segment >= 0;
    pack_.segments.push_back(std::move(copy));
    return static_cast<int64_t>(pack_.segments.size()) - 1;
  }

  void add_stage(const Stage& stage) {
    Tail tail = context(stage.context, &StageContext::full, full_);
    pack_.texts.push_back(-1);
    pack_.copies.emplace_back();
    if (stage.text) {
      Segment text = text_segment(segment_ids(*stage.text, model_.special), tail.segment, tail.position);
      tail = {static_cast<int64_t>(pack_.segments.size()), next_position(text)};
      pack_.texts.back() = tail.segment;
      pack_.segments.push_back(std::move(text));
    }
    if (!options_.with_image || !stage.image) return;
    for (int64_t k = 0; k < rollout_.schedule.window_size; ++k)
      pack_.copies.back().full.push_back(add_copy(*stage.image, k, tail));
  }

  void add_dropped(const Stage& stage, NoisyCopies& copies) {
    for (size_t k = 0; k < copies.full.size(); ++k) {
      const auto step = static_cast<int64_t>(k);
      const bool text = uses_text_guidance(stage.guidance, time(step));
      const bool image = uses_image_guidance(stage.guidance, time(step));
      copies.text_dropped.push_back(
          text ? add_copy(*stage.image, step, context(stage.context, &StageContext::text_dropped, text_dropped_)) : -1);
      copies.image_dropped.push_back(
          image ? add_copy(*stage.image, step, context(stage.context, &StageContext::image_dropped, image_dropped_))
                : -1);
    }
  }

  double time(int64_t step) const {
    return rollout_.schedule.grid[static_cast<size_t>(rollout_.schedule.window_begin + step)];
  }

  const Bagel& model_;
  const Rollout& rollout_;
  const ReplayOptions& options_;
  ReplayPack pack_;
  std::map<int64_t, Tail> full_, text_dropped_, image_dropped_;
};

struct Actions {
  std::vector<int64_t> tokens;
  std::vector<int64_t> rows;  // of the understanding expert's output, which predict them
};

// The row that predicts action k is the k-th token of the segment, which starts with im_start.
Actions sampled_actions(const Rollout& rollout, const std::vector<size_t>& stages, const ReplayPack& pack,
                        const PackLayout& layout) {
  Actions actions;
  for (size_t c = 0; c < stages.size(); ++c) {
    if (pack.texts[c] < 0) continue;
    const std::vector<int64_t>& tokens = rollout.stages[stages[c]].text->tokens;
    const int64_t begin = layout.segments[pack.texts[c]].text_begin;
    for (size_t k = 0; k < tokens.size(); ++k) {
      actions.rows.push_back(begin + static_cast<int64_t>(k));
      actions.tokens.push_back(tokens[k]);
    }
  }
  return actions;
}

Tensor action_logprobs(const Bagel& model, const Actions& actions, const PackOutput& output, double temperature) {
  if (actions.rows.empty()) return {};
  const at::Device device = output.und.device();
  return token_logprobs(output.und.index_select(0, index_on(actions.rows, device)), model.lm_head,
                        index_on(actions.tokens, device), temperature);
}

// Velocities of every latent segment of the pack; undefined for the others. One split keeps the backward pass one copy.
std::vector<Tensor> segment_velocities(const Bagel& model, const PackOutput& output,
                                       const std::vector<Segment>& segments) {
  std::vector<int64_t> sizes;
  std::vector<size_t> owners;
  for (size_t s = 0; s < segments.size(); ++s) {
    if (segments[s].kind != SegmentKind::noisy_latent && segments[s].kind != SegmentKind::clean_latent) continue;
    sizes.push_back(segments[s].grid_height * segments[s].grid_width);
    owners.push_back(s);
  }
  const std::vector<Tensor> parts = velocity(model, output.latent).split_with_sizes(sizes);
  std::vector<Tensor> velocities(segments.size());
  for (size_t k = 0; k < parts.size(); ++k) velocities[owners[k]] = parts[k];
  return velocities;
}

// [window, tokens, channels] of one stage.
Tensor guided_window(const std::vector<Tensor>& velocities, const NoisyCopies& copies, const Rollout& rollout,
                     const Guidance& guidance) {
  const auto at_step = [&](const std::vector<int64_t>& branch, size_t k) {
    return branch[k] < 0 ? Tensor() : velocities[static_cast<size_t>(branch[k])];
  };
  std::vector<Tensor> steps;
  for (size_t k = 0; k < copies.full.size(); ++k) {
    const double time = rollout.schedule.grid[static_cast<size_t>(rollout.schedule.window_begin) + k];
    steps.push_back(guided_velocity(at_step(copies.full, k), at_step(copies.text_dropped, k),
                                    at_step(copies.image_dropped, k), guidance, time));
  }
  return at::stack(steps);
}

std::vector<Tensor> window_velocities(const Bagel& model, const PackOutput& output, const ReplayPack& pack,
                                      const Rollout& rollout, const std::vector<size_t>& stages) {
  const bool any =
      std::any_of(pack.copies.begin(), pack.copies.end(), [](const auto& own) { return !own.full.empty(); });
  if (!any) return {};
  const std::vector<Tensor> velocities = segment_velocities(model, output, pack.segments);
  std::vector<Tensor> windows;
  for (size_t c = 0; c < stages.size(); ++c)
    windows.push_back(pack.copies[c].full.empty()
                          ? Tensor()
                          : guided_window(velocities, pack.copies[c], rollout, rollout.stages[stages[c]].guidance));
  return windows;
}

}  // namespace

ReplayOutput replay(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& stages,
                    const ReplayOptions& options) {
  const ReplayPack pack = Packer(model, rollout, options).pack(stages);
  const PackOutput output = forward(model, pack.segments);
  ReplayOutput result;
  result.flops = forward_flops(model.config, output.layout);
  if (options.with_text)
    result.logprobs =
        action_logprobs(model, sampled_actions(rollout, stages, pack, output.layout), output, options.temperature);
  result.velocities = window_velocities(model, output, pack, rollout, stages);
  return result;
}

std::vector<StageValues> stage_values(const Rollout& rollout, const std::vector<size_t>& stages,
                                      const ReplayOutput& output) {
  std::vector<StageValues> values(stages.size());
  const Tensor logprobs = output.logprobs.defined() ? output.logprobs.detach().cpu() : Tensor();
  int64_t begin = 0;
  for (size_t c = 0; c < stages.size(); ++c) {
    if (!output.velocities.empty() && output.velocities[c].defined())
      values[c].velocities = output.velocities[c].detach().cpu();
    if (!output.logprobs.defined() || !rollout.stages[stages[c]].text) continue;
    const int64_t count = static_cast<int64_t>(rollout.stages[stages[c]].text->tokens.size());
    values[c].logprobs = logprobs.narrow(0, begin, count);
    begin += count;
  }
  return values;
}

std::vector<StageValues> sampler_values(const Rollout& rollout) {
  std::vector<StageValues> values;
  for (const Stage& stage : rollout.stages) {
    StageValues own;
    if (stage.image) own.velocities = stage.image->velocities;
    if (stage.text) own.logprobs = at::tensor(stage.text->logprobs, at::kDouble).to(at::kFloat);
    values.push_back(std::move(own));
  }
  return values;
}

}  // namespace diptych
