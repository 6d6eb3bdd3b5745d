#include "diptych/rollout/replay.h"

#include <map>

#include "diptych/model/flops.h"
#include "diptych/model/text_head.h"

namespace diptych {

namespace {

struct ReplayPack {
  std::vector<Segment> segments;
  std::vector<int64_t> thinking;  // segment of each chain's thinking; -1 without
};

void add_noisy_copies(const Trajectory& chain, const Rollout& rollout, int64_t parent, int64_t position, bool detach,
                      std::vector<Segment>& segments) {
  for (int64_t k = 0; k < rollout.schedule.window_size; ++k) {
    const double time = rollout.schedule.grid[rollout.schedule.window_begin + k];
    Segment copy =
        noisy_segment(chain.image.states[k], chain.image.grid_height, chain.image.grid_width, time, parent, position);
    copy.detach_context = detach;
    segments.push_back(std::move(copy));
  }
}

ReplayPack make_pack(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& chains,
                     const ReplayOptions& options) {
  ReplayPack pack;
  std::map<int64_t, int64_t> prompt_segment;
  for (size_t index : chains) {
    const Trajectory& chain = rollout.chains[index];
    const auto [found, fresh] = prompt_segment.emplace(chain.prompt, static_cast<int64_t>(pack.segments.size()));
    if (fresh) pack.segments.push_back(text_segment(rollout.prompt_ids[chain.prompt], -1, 0));
    int64_t parent = found->second;
    pack.thinking.push_back(-1);
    if (chain.thinking) {
      pack.thinking.back() = static_cast<int64_t>(pack.segments.size());
      pack.segments.push_back(
          text_segment(segment_ids(*chain.thinking, model.special), parent, next_position(pack.segments[parent])));
      parent = pack.thinking.back();
    }
    if (options.with_image)
      add_noisy_copies(chain, rollout, parent, next_position(pack.segments[parent]), options.detach_context,
                       pack.segments);
  }
  return pack;
}

// The unconditional branch of every chain: one shared context (or none) and its own copies at the same states.
void add_unconditional(const Rollout& rollout, const std::vector<size_t>& chains, const ReplayOptions& options,
                       std::vector<Segment>& segments) {
  int64_t parent = -1;
  int64_t position = 0;
  if (!options.dropped_ids.empty()) {
    parent = static_cast<int64_t>(segments.size());
    segments.push_back(text_segment(options.dropped_ids, -1, 0));
    position = next_position(segments.back());
  }
  for (size_t index : chains)
    add_noisy_copies(rollout.chains[index], rollout, parent, position, options.detach_context && parent >= 0, segments);
}

// The row that predicts action k is the k-th token of the segment, which starts with im_start.
Tensor action_logprobs(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& chains,
                       const ReplayPack& pack, const PackOutput& output, double temperature) {
  std::vector<int64_t> rows;
  std::vector<int64_t> actions;
  for (size_t c = 0; c < chains.size(); ++c) {
    if (pack.thinking[c] < 0) continue;
    const std::vector<int64_t>& tokens = rollout.chains[chains[c]].thinking->tokens;
    const int64_t begin = output.layout.segments[pack.thinking[c]].text_begin;
    for (size_t k = 0; k < tokens.size(); ++k) {
      rows.push_back(begin + static_cast<int64_t>(k));
      actions.push_back(tokens[k]);
    }
  }
  if (rows.empty()) return {};
  const at::Device device = output.und.device();
  return token_logprobs(output.und.index_select(0, at::tensor(rows, at::kLong).to(device)), model.lm_head,
                        at::tensor(actions, at::kLong).to(device), temperature);
}

// [window, tokens, channels] of one chain.
Tensor guided_window(const Tensor& conditional, const Tensor& unconditional, const DenoiseSchedule& schedule,
                     const Guidance& guidance) {
  std::vector<Tensor> steps;
  for (int64_t k = 0; k < schedule.window_size; ++k) {
    const double time = schedule.grid[schedule.window_begin + k];
    steps.push_back(guided_velocity(conditional[k], unconditional[k], {}, guidance, time));
  }
  return at::stack(steps);
}

// Rows are chain by chain, step by step, the unconditional branch behind. One split keeps the backward pass one copy.
std::vector<Tensor> chain_velocities(const Tensor& rows, const Rollout& rollout, const std::vector<size_t>& chains,
                                     bool guided, const Guidance& guidance) {
  const int64_t window = rollout.schedule.window_size;
  std::vector<int64_t> sizes;
  for (size_t index : chains) sizes.push_back(rollout.chains[index].image.states.size(1) * window);
  if (guided) {
    const std::vector<int64_t> conditional = sizes;
    sizes.insert(sizes.end(), conditional.begin(), conditional.end());
  }
  std::vector<Tensor> parts = rows.split_with_sizes(sizes);
  for (Tensor& part : parts) part = part.view({window, -1, rows.size(1)});
  if (!guided) return parts;
  std::vector<Tensor> velocities;
  for (size_t c = 0; c < chains.size(); ++c)
    velocities.push_back(guided_window(parts[c], parts[chains.size() + c], rollout.schedule, guidance));
  return velocities;
}

}  // namespace

ReplayOutput replay(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& chains,
                    const ReplayOptions& options) {
  ReplayPack pack = make_pack(model, rollout, chains, options);
  const int64_t window = options.with_image ? rollout.schedule.window_size : 0;
  const bool guided = window > 0 && options.guidance.text_scale > 1;
  if (guided) add_unconditional(rollout, chains, options, pack.segments);

  const PackOutput output = forward(model, pack.segments);
  ReplayOutput result;
  result.flops = forward_flops(model.config, output.layout);
  if (options.with_text) result.logprobs = action_logprobs(model, rollout, chains, pack, output, options.temperature);
  if (window > 0)
    result.velocities = chain_velocities(velocity(model, output.latent), rollout, chains, guided, options.guidance);
  return result;
}

}  // namespace diptych
