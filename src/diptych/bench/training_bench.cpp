#include "diptych/tensor/torch.h"

#include "diptych/bench/training_bench.h"

#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/train/policy_update.h"
#include "diptych/train/trainable.h"

namespace diptych {

namespace {

constexpr int64_t kGroup = 8;
constexpr int64_t kUpdates = 10;
constexpr int64_t kWindow = 3;
constexpr uint64_t kSeed = 1;
constexpr const char* kPrompt = "a photo of three red circles and a blue square";

EpisodeOptions episode_of(const ModelConfig& config, const BenchEffort& effort) {
  EpisodeOptions options;
  options.program = episode_program("think");
  options.text.max_tokens = effort.tokens;
  options.schedule = {
      .grid = timestep_grid(kUpdates + 1, 2.0), .noise_level = 0.8, .window_begin = 0, .window_size = kWindow};
  options.image_height = options.image_width = config.vae_transform.min_short;
  return options;
}

/** Of prefilling, thinking, painting and decoding the pictures, from what was made. */
double rollout_flops(const Bagel& model, const Rollout& rollout, const EpisodeOptions& episode) {
  double total = static_cast<double>(rollout.chains.size()) *
                 autoencoder_flops(model.autoencoder, episode.image_height * episode.image_width).decode;
  for (const StageContext& context : rollout.contexts) total += pack_flops(model, context.full, 0);
  for (const Trajectory& chain : rollout.chains) {
    const std::vector<Segment>& context = rollout.contexts[static_cast<size_t>(chain.context)].full;
    int64_t before = 0;
    for (const Segment& segment : context) before += token_count(segment);
    const auto tokens = static_cast<int64_t>(chain.text->tokens.size());
    Segment token = text_segment({model.special.im_start}, -1, 0);
    token.cached.assign(static_cast<size_t>(before + tokens / 2), 0);
    const auto sampled = static_cast<double>(tokens);
    total += sampled * pack_flops(model, {token}, before + tokens) + logits_flops(model.config, sampled);
    Segment noisy = noisy_segment(chain.image->latent, chain.image->grid_height, chain.image->grid_width, 0.5, -1, 0);
    noisy.cached.assign(static_cast<size_t>(before + tokens), 0);
    total += kUpdates * pack_flops(model, {noisy}, before + tokens);
  }
  return total;
}

UpdateOptions update_options_of() {
  UpdateOptions options;
  options.loss.velocity_mse_weight = 1e-5;
  options.loss.text_kl_weight = 0.01;
  options.gate_text = options.gate_image = std::numeric_limits<double>::infinity();
  options.needs_reference = true;
  return options;
}

BenchRow row_of(const BenchInput& input, const std::string& name, const std::string& work, double chains,
                double seconds, double operations) {
  const double rate = operations / seconds;
  return {name, work, "chain", seconds / chains, rate, rate / input.gemm_flops, "GEMM"};
}

}  // namespace

std::vector<BenchRow> bench_training(const BenchInput& input) {
  // Weights of their own: the update must not move those that other benchmarks use. No trained model writes the marker
  // that ends texts here, so that all of them run to their full length.
  Bagel model = input.folder.model;
  for (const ParameterSlot& slot : transformer_slots(model)) *slot.tensor = slot.tensor->clone();
  model.special.im_end = model.special.vision_end;
  TrainedPolicy policy(model, {.und_learning_rate = 1e-6, .gen_learning_rate = 1e-6});
  const UpdateOptions options = update_options_of();
  const EpisodeOptions episode = episode_of(model.config, input.effort);
  std::vector<EpisodePrompt> prompts;
  const int64_t group = std::min(kGroup, input.effort.batch);
  for (int64_t p = 0; p < input.effort.batch / group; ++p)
    prompts.push_back({.text = kPrompt, .occurrence = static_cast<uint64_t>(p)});

  Rollout rollout;
  const auto sample = [&] { rollout = roll_out(model, input.folder.tokenizer, prompts, group, episode, kSeed, 0); };
  sample();
  std::vector<size_t> chains(rollout.chains.size());
  std::vector<double> advantages(chains.size());
  for (size_t i = 0; i < chains.size(); ++i) {
    chains[i] = i;
    advantages[i] = i % 2 == 0 ? 1 : -1;
  }
  const auto refer = [&] {
    policy.swap_reference();
    std::vector<ChainValues> values = replay_values(model, rollout, chains, options);
    policy.swap_reference();
    return values;
  };
  const std::vector<ChainValues> values = refer();
  double update_flops = 0;
  const auto update = [&](const std::vector<ChainValues>& of_reference) {
    GateReport gate;
    update_flops = update_policy(model, rollout, chains, advantages, of_reference, options, policy, 1, gate).flops;
  };

  const int repeats = input.effort.repeats;
  const double replay_seconds = median_seconds(repeats, [&] { replay_values(model, rollout, chains, options); });
  const double update_seconds = median_seconds(repeats, [&] { update(values); });
  const double step_seconds = median_seconds(repeats, [&] {
    sample();
    update(refer());
  });
  const auto count = static_cast<double>(chains.size());
  const std::string work = cat(chains.size(), " chains, ", input.effort.tokens, " tokens, ", kWindow, " trained steps");
  return {row_of(input, "replay", work, count, replay_seconds, update_flops / 3),
          row_of(input, "update", work, count, update_seconds, update_flops),
          row_of(input, "step", cat("rollout of ", kUpdates, " steps, reference, update"), count, step_seconds,
                 rollout_flops(model, rollout, episode) + update_flops / 3 + update_flops)};
}

}  // namespace diptych
