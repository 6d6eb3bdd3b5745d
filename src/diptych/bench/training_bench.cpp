#include "diptych/tensor/torch.h"

#include "diptych/bench/training_bench.h"

#include <c10/core/CachingDeviceAllocator.h>

#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/train/policy_update.h"
#include "diptych/train/trainable.h"

namespace diptych {

namespace {

constexpr const char* kPrompt = "a photo of three red circles and a blue square";

EpisodeOptions episode_of(const TrainingCase& training) {
  EpisodeOptions options;
  options.program = episode_program("think");
  options.text.max_tokens = training.tokens;
  options.schedule = {.grid = timestep_grid(training.updates + 1, 2.0),
                      .noise_level = 0.8,
                      .window_begin = 0,
                      .window_size = training.window};
  options.image_height = options.image_width = training.side;
  options.chains_per_pack = training.sampled_per_pack;
  return options;
}

/** Of prefilling, thinking, painting and decoding the pictures, from what was made. */
double rollout_flops(const Bagel& model, const Rollout& rollout, const EpisodeOptions& episode) {
  double total = static_cast<double>(rollout.chains.size()) *
                 autoencoder_flops(model.autoencoder, episode.image_height * episode.image_width).decode;
  for (const StageContext& context : rollout.contexts) total += pack_flops(model.config, context.full, 0);
  for (const Trajectory& chain : rollout.chains) {
    const std::vector<Segment>& context = rollout.contexts[static_cast<size_t>(chain.context)].full;
    int64_t before = 0;
    for (const Segment& segment : context) before += token_count(segment);
    const auto tokens = static_cast<int64_t>(chain.text->tokens.size());
    Segment token = text_segment({model.special.im_start}, -1, 0);
    token.cached.assign(static_cast<size_t>(before + tokens / 2), 0);
    const auto sampled = static_cast<double>(tokens);
    total += sampled * pack_flops(model.config, {token}, before + tokens) + logits_flops(model.config, sampled);
    Segment noisy = noisy_segment(chain.image->latent, chain.image->grid_height, chain.image->grid_width, 0.5, -1, 0);
    noisy.cached.assign(static_cast<size_t>(before + tokens), 0);
    total += static_cast<double>(episode.schedule.grid.size() - 1) * pack_flops(model.config, {noisy}, before + tokens);
  }
  return total;
}

UpdateOptions update_options_of(const TrainingCase& training) {
  UpdateOptions options;
  options.loss.velocity_mse_weight = 1e-5;
  options.loss.text_kl_weight = 0.01;
  options.gate_text = options.gate_image = std::numeric_limits<double>::infinity();
  options.needs_reference = true;
  options.chains_per_pack = training.trained_per_pack;
  return options;
}

/** The most memory of the device that `work` needed; nothing on the CPU. */
std::optional<double> peak_of(at::Device device, const std::function<void()>& work) {
  auto* allocator = device.is_cpu() ? nullptr : dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
  if (allocator == nullptr) return std::nullopt;
  allocator->resetPeakStats(device.index());
  work();
  const c10::CachingDeviceAllocator::DeviceStats stats = allocator->getDeviceStats(device.index());
  return static_cast<double>(stats.allocated_bytes[0].peak);
}

}  // namespace

std::vector<BenchRow> training_rows(const BenchInput& input, const TrainingCase& training) {
  // Weights of their own: the update must not move those that other benchmarks use. No trained model writes the marker
  // that ends texts here, so that all of them run to their full length.
  Bagel model = input.folder.model;
  const bool adapted = training.policy.adapters.rank > 0;
  if (!adapted && !training.in_place)  // adapters leave the weights below them as they are
    for (const ParameterSlot& slot : matching_slots(transformer_slots(model), training.policy.parameters))
      *slot.tensor = slot.tensor->clone();
  model.special.im_end = model.special.vision_end;
  model.decoder.recompute = training.recompute_layers;
  TrainedPolicy policy(model, training.policy);
  const UpdateOptions options = update_options_of(training);
  const EpisodeOptions episode = episode_of(training);
  std::vector<EpisodePrompt> prompts;
  const int64_t group = std::min(training.group, training.chains);
  for (int64_t p = 0; p < training.chains / group; ++p)
    prompts.push_back({.text = kPrompt, .occurrence = static_cast<uint64_t>(p)});

  Rollout rollout;
  const auto sample = [&] {
    rollout = roll_out(model, input.folder.tokenizer, prompts, group, episode, kBenchSeed, 0);
  };
  sample();
  std::vector<size_t> chains(rollout.chains.size());
  std::vector<double> advantages(chains.size());
  for (size_t i = 0; i < chains.size(); ++i) {
    chains[i] = i;
    advantages[i] = i % 2 == 0 ? 1 : -1;
  }
  const auto refer = [&] {
    if (training.policy.keeps_reference) policy.swap_reference();
    std::vector<ChainValues> values = replay_values(model, rollout, chains, options);
    if (training.policy.keeps_reference) policy.swap_reference();
    return values;
  };
  const std::vector<ChainValues> values = refer();
  double three_forwards = 0;
  const auto update = [&](const std::vector<ChainValues>& of_reference) {
    GateReport gate;
    three_forwards = update_policy(model, rollout, chains, advantages, of_reference, options, policy, 1, gate).flops;
  };

  const at::Device device = input.device();
  const int repeats = input.effort.repeats;
  const double replay_seconds =
      median_seconds(device, repeats, [&] { replay_values(model, rollout, chains, options); });
  const double update_seconds = median_seconds(device, repeats, [&] { update(values); });
  const std::optional<double> update_peak = peak_of(device, [&] { update(values); });
  const auto count = static_cast<double>(chains.size());
  const double forward = three_forwards / 3, update_flops = (adapted ? 2 : 3) * forward;
  const std::string prefix = training.name.empty() ? "" : training.name + " ";
  const std::string work =
      cat(chains.size(), " chains, ", training.tokens, " tokens, ", training.window, " trained steps");
  std::vector<BenchRow> rows = {
      matrix_row(input, prefix + "replay", work, "chain", count, replay_seconds, forward),
      matrix_row(input, prefix + "update", work, "chain", count, update_seconds, update_flops)};
  rows.back().peak_bytes = update_peak;
  if (training.in_place)
    for (const NamedTensor& weight : all_parameters(policy.optimizer().groups()))
      weight.tensor.set_requires_grad(false);
  if (!training.whole_step) return rows;

  const auto step = [&] {
    sample();
    const std::vector<ChainValues> of_reference = refer();
    if (training.replays_old) replay_values(model, rollout, chains, options);
    update(of_reference);
  };
  const double step_seconds = median_seconds(device, repeats, step);
  const std::string parts =
      training.replays_old ? " steps, reference, old values, update" : " steps, reference, update";
  const double passes = training.replays_old ? 2 : 1;
  rows.push_back(matrix_row(input, prefix + "step", cat("rollout of ", training.updates, parts), "chain", count,
                            step_seconds, rollout_flops(model, rollout, episode) + passes * forward + update_flops));
  rows.back().peak_bytes = peak_of(device, step);
  return rows;
}

std::vector<BenchRow> bench_training(const BenchInput& input) {
  TrainingCase training;
  training.chains = input.effort.batch;
  training.tokens = input.effort.tokens;
  training.side = input.folder.model.config.vae_transform.min_short;
  training.policy.und_learning_rate = training.policy.gen_learning_rate = 1e-6;
  return training_rows(input, training);
}

}  // namespace diptych
