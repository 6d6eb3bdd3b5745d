#include "diptych/tensor/torch.h"

#include "diptych/bench/training_bench.h"

#include <algorithm>
#include <limits>

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/bench/bench_flops.h"
#include "diptych/flow/timestep_grid.h"
#include "diptych/rollout/episodes/episodes.h"
#include "diptych/train/optimizer/trainable.h"
#include "diptych/train/update/policy_update.h"

namespace diptych {

namespace {

constexpr const char* kPrompt = "a photo of three red circles and a blue square";
constexpr double kTimestepShift = 2;

EpisodeOptions episode_of(const TrainingCase& training) {
  EpisodeOptions options;
  options.program = episode_program("think");
  options.text.max_tokens = training.tokens;
  options.schedule = {.grid = timestep_grid(training.updates + 1, kTimestepShift),
                      .noise_level = 0.8,
                      .window_begin = 0,
                      .window_size = training.window};
  options.image_height = options.image_width = training.side;
  options.chains_per_pack = training.sampled_per_pack;
  return options;
}

/** Little more than the trained steps: what warms a rollout up, and what an update can be measured with. */
EpisodeOptions brief_episode_of(const TrainingCase& training) {
  EpisodeOptions options = episode_of(training);
  options.text.max_tokens = 2;
  options.schedule.grid = timestep_grid(training.window + 2, kTimestepShift);
  return options;
}

std::vector<EpisodePrompt> prompts_of(const TrainingCase& training, int64_t group) {
  std::vector<EpisodePrompt> prompts;
  for (int64_t p = 0; p < training.chains / group; ++p)
    prompts.push_back({.text = kPrompt, .occurrence = static_cast<uint64_t>(p)});
  return prompts;
}

/** Repeats the last token of every thought until it has so many: an update takes as long with these as with sampled
 *  ones, which would each need a pass. */
void lengthen_thoughts(Rollout& rollout, int64_t tokens) {
  for (Stage& stage : rollout.stages) {
    SampledText& text = *stage.text;
    text.tokens.resize(static_cast<size_t>(tokens), int64_t{text.tokens.back()});
    text.logprobs.resize(static_cast<size_t>(tokens), double{text.logprobs.back()});
  }
}

/** Of prefilling, thinking, painting and decoding the pictures, from what was made. */
double rollout_flops(const Bagel& model, const Rollout& rollout, const EpisodeOptions& episode) {
  double total = static_cast<double>(rollout.stages.size()) *
                 autoencoder_flops(model.autoencoder, episode.image_height * episode.image_width).decode;
  for (const StageContext& context : rollout.contexts) total += pack_flops(model.config, context.full, 0);
  for (const Stage& stage : rollout.stages) {
    const SegmentChain& context = rollout.contexts[static_cast<size_t>(stage.context)].full;
    int64_t before = 0;
    for (const Segment& segment : context) before += token_count(segment);
    const auto tokens = static_cast<int64_t>(stage.text->tokens.size());
    Segment token = text_segment({model.special.im_start}, -1, 0);
    token.cached.assign(static_cast<size_t>(before + tokens / 2), 0);
    const auto sampled = static_cast<double>(tokens);
    total += sampled * pack_flops(model.config, {token}, before + tokens) + logits_flops(model.config, sampled);
    Segment noisy = noisy_segment(stage.image->latent, stage.image->grid_height, stage.image->grid_width, 0.5, -1, 0);
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
  options.chains_per_pack = training.trained_per_pack;
  return options;
}

/** A recipe that does the same, as far as memory is concerned. */
RlRecipe recipe_like(const TrainingCase& training, const Bagel& model, int64_t group, bool recompute) {
  RlRecipe recipe;
  recipe.run.dtype = model.embed_tokens.scalar_type() == at::kBFloat16 ? "bfloat16" : "float32";
  recipe.prompts.per_step = training.chains / group;
  recipe.rollout.max_think_tokens = training.tokens;
  recipe.rollout.image_size = training.side;
  recipe.rollout.updates = training.updates;
  recipe.rollout.window_range = {0, training.window};
  recipe.rollout.window_size = training.window;
  recipe.rollout.chains_per_pack = training.sampled_per_pack;
  recipe.train.group_size = group;
  recipe.train.mini_batches = 2;  // so that there is a replay of old values
  recipe.train.und_learning_rate = training.policy.und_learning_rate;
  recipe.train.gen_learning_rate = training.policy.gen_learning_rate;
  recipe.train.chains_per_pack = training.trained_per_pack;
  recipe.train.recompute_layers = recompute;
  recipe.train.gradient_dtype = training.policy.adamw.bfloat16_gradients ? "bfloat16" : "float32";
  recipe.train.parameters = training.policy.parameters;
  recipe.lora.rank = training.policy.adapters.rank;
  recipe.lora.alpha = training.policy.adapters.alpha;
  recipe.lora.targets = training.policy.adapters.targets;
  return recipe;
}

/** Weights that trained where they are become plain ones again: others compute with them, too. */
class PlainAgain {
 public:
  explicit PlainAgain(std::vector<Tensor> weights) : weights_(std::move(weights)) {}
  ~PlainAgain() {
    for (Tensor& weight : weights_) {
      weight.mutable_grad() = Tensor();
      weight.set_requires_grad(false);
    }
  }
  PlainAgain(const PlainAgain&) = delete;
  PlainAgain& operator=(const PlainAgain&) = delete;

 private:
  std::vector<Tensor> weights_;
};

/** Copies what trains, since updates must not move what other benchmarks compute with, or returns it where it is to
 *  train in place. Adapters train beside the weights; on a GPU they are merged into them, which moves them a little. */
std::vector<Tensor> weights_in_place(Bagel& model, const TrainingCase& training) {
  if (training.policy.adapters.rank > 0) return {};
  std::vector<Tensor> weights;
  for (const ParameterSlot& slot : matching_slots(transformer_slots(model), training.policy.parameters)) {
    if (!training.in_place) *slot.tensor = slot.tensor->clone();
    if (training.in_place) weights.push_back(*slot.tensor);
  }
  return weights;
}

void raise_peak(std::optional<double>& peak, const Measured& part) {
  if (part.peak_bytes) peak = std::max(peak.value_or(0), *part.peak_bytes);
}

using PhaseNames = std::vector<std::string>;  // as in PlannedPhases

/** What a row measures. */
struct Work {
  std::string name;
  std::string what;
  double units = 1;
  std::string unit = "chain";
};

/** A training case at work. */
class TrainingBench {
 public:
  TrainingBench(const BenchInput& input, const TrainingCase& training);

  void report();

 private:
  void prepare_chains();
  void measure_parts();
  void measure_update(bool recompute);
  void report_row(const Work& work, const Measured& measured, double operations,
                  const std::optional<PhaseNames>& phases);

  const BenchInput& input_;
  const TrainingCase& training_;
  const int64_t group_;
  const std::string prefix_;
  Bagel model_;
  const PlainAgain plain_again_;
  TrainedPolicy policy_;
  const UpdateOptions options_;
  const EpisodeOptions episode_;
  Rollout rollout_;
  std::vector<size_t> chains_, first_pack_;
  std::vector<double> advantages_;
  std::vector<StageValues> values_;  // of the policy before it moved: those of the reference
  double forward_flops_ = 0;         // of all stages
  Measured sampling_, replay_, exchange_, optimizer_;
};

TrainingBench::TrainingBench(const BenchInput& input, const TrainingCase& training)
    : input_(input),
      training_(training),
      group_(std::min(training.group, training.chains)),
      prefix_(training.name.empty() ? "" : training.name + " "),
      model_(input.folder.model),
      plain_again_(weights_in_place(model_, training)),
      policy_(model_, training.policy),
      options_(update_options_of(training)),
      episode_(episode_of(training)) {
  // No trained model writes this marker, so that all texts run to their full length.
  model_.special.im_end = model_.special.vision_end;
  model_.decoder.recompute = training.recompute.front();
}

/** Of a share of the GEMM where there are operations, and of a planned peak where there are phases. */
void TrainingBench::report_row(const Work& work, const Measured& measured, double operations,
                               const std::optional<PhaseNames>& phases) {
  BenchRow row = matrix_row(input_, prefix_ + work.name, work.what, work.unit, work.units, measured, operations);
  if (operations == 0) row.flops = row.share = std::nullopt;
  constexpr int64_t markers = 2;
  const auto prompt = static_cast<int64_t>(text_ids(input_.folder.tokenizer, kPrompt).size());
  if (phases)
    row.planned =
        PlannedPhases{recipe_like(training_, model_, group_, model_.decoder.recompute), prompt - markers, *phases};
  input_.report(std::move(row));
}

void TrainingBench::prepare_chains() {
  const EpisodeOptions brief = brief_episode_of(training_);
  const std::vector<EpisodePrompt> prompts = prompts_of(training_, group_);
  const auto sample = [&](const std::vector<EpisodePrompt>& of, int64_t group, const EpisodeOptions& episode) {
    return roll_out(model_, input_.folder.tokenizer,
                    {.prompts = of, .group_size = group, .options = episode, .seed = kBenchSeed});
  };
  if (training_.whole_step) {
    sampling_ = measure_calls(
        input_, [&] { rollout_ = sample(prompts, group_, episode_); },
        [&] { sample({prompts.front()}, std::min<int64_t>(group_, 2), brief); });
    report_row({"sample",
                cat(rollout_.stages.size(), " chains, ", training_.tokens, " tokens, ", training_.updates, " steps, ",
                    std::min(training_.sampled_per_pack, training_.chains), " a pack"),
                static_cast<double>(rollout_.stages.size())},
               sampling_, rollout_flops(model_, rollout_, episode_), PhaseNames{"rollout"});
  } else {
    rollout_ = sample(prompts, group_, brief);
    lengthen_thoughts(rollout_, training_.tokens);
  }
  for (size_t i = 0; i < rollout_.stages.size(); ++i) {
    chains_.push_back(i);
    if (static_cast<int64_t>(i) < training_.trained_per_pack) first_pack_.push_back(i);
    advantages_.push_back(i % 2 == 0 ? 1 : -1);
  }
}

void TrainingBench::measure_parts() {
  const auto count = static_cast<double>(chains_.size());
  const auto warm_up = [&] {
    const at::NoGradGuard no_grad;
    // Packs are alike.
    forward_flops_ =
        replay(model_, rollout_, first_pack_, options_.replay).flops * count / static_cast<double>(first_pack_.size());
  };
  replay_ = measure_calls(
      input_, [&] { values_ = replay_values(model_, rollout_, chains_, options_); }, warm_up);
  report_row(
      {"replay", cat(chains_.size(), " chains, ", training_.tokens, " tokens, ", training_.window, " steps"), count},
      replay_, forward_flops_, PhaseNames{"replay"});

  if (training_.whole_step && training_.policy.keeps_reference) {
    exchange_ = measure_calls(input_, [&] { const ReferenceInPlace reference(policy_); });
    report_row({"exchange", "policy for reference, and back", 1, "exchange"}, exchange_, 0, std::nullopt);
  }

  optimizer_ = measure_calls(input_, [&] {
    policy_.optimizer().clear_gradients();
    for (Tensor& weight : policy_.parameters())
      if (!weight.grad().defined()) weight.mutable_grad() = at::zeros_like(weight);
    policy_.step(/*learning_rate_scale=*/1);
  });
  report_row({"optimizer", "1 step, gradients of 0", 1, "step"}, optimizer_, 0, PhaseNames{"optimizer"});
}

void TrainingBench::measure_update(bool recompute) {
  int64_t refused = 0;
  const auto update = [&](const std::vector<size_t>& of) {
    const UpdateInput input{rollout_, of, advantages_, values_};
    refused += PolicyUpdate(model_, policy_, options_, input).run([] { return 1.0; }).skipped;
  };
  const bool adapted = training_.policy.adapters.rank > 0;
  const double flops = (adapted ? 2 : 3) * forward_flops_;
  const auto count = static_cast<double>(chains_.size());
  const std::string way = recompute ? " recomputed" : "";
  Measured measured = measure_calls(
      input_, [&] { update(chains_); }, [&] { update(first_pack_); });
  if (refused > 0)
    log_warning(
        cat(prefix_, "update: ", refused, " refused, as something was not finite: they took no optimizer step"));
  // What a step of the optimizer takes does not depend on the stages, of which a step trains many more. Clocks jitter:
  // of a tiny model the difference might be negative.
  measured.seconds = std::max(measured.seconds - optimizer_.seconds, 1e-3 * measured.seconds);
  report_row({"update" + way,
              cat(chains_.size(), " chains, ", training_.tokens, " tokens, ", training_.window, " steps, ",
                  first_pack_.size(), " a pack"),
              count},
             measured, flops, PhaseNames{"update", "optimizer"});
  if (!training_.whole_step) return;

  const double passes = training_.replays_old ? 2 : 1;
  const auto step_chains = static_cast<double>(training_.step_chains > 0 ? training_.step_chains : training_.chains);
  const double per_chain = (sampling_.seconds + passes * replay_.seconds + measured.seconds) / count;
  const double per_step = exchange_.seconds + static_cast<double>(training_.optimizer_steps) * optimizer_.seconds;
  Measured step{.seconds = step_chains * per_chain + per_step};
  for (const Measured* part : {&sampling_, &replay_, &exchange_, &optimizer_, &measured})
    raise_peak(step.peak_bytes, *part);
  const double operations = (rollout_flops(model_, rollout_, episode_) + passes * forward_flops_ + flops) / count;
  report_row({"step" + way,
              cat(step_chains, " chains: ", training_.updates, " steps, reference,",
                  training_.replays_old ? " old values," : "", " update"),
              step_chains},
             step, step_chains * operations, PhaseNames());
}

void TrainingBench::report() {
  prepare_chains();
  measure_parts();
  for (const bool recompute : training_.recompute) {
    model_.decoder.recompute = recompute;
    const bool fitted =
        unless_out_of_memory(input_, prefix_ + (recompute ? "update recomputed" : "update"),
                             cat(chains_.size(), " chains, ", first_pack_.size(), " a pack, ", training_.side, " px"),
                             [&] { measure_update(recompute); });
    if (fitted && training_.first_that_fits) return;
  }
}

}  // namespace

void report_training(const BenchInput& input, const TrainingCase& training) {
  TrainingBench(input, training).report();
}

void bench_training(const BenchInput& input) {
  TrainingCase training;
  training.chains = input.effort.batch;
  training.tokens = input.effort.tokens;
  training.side = input.folder.model.config.vae_transform.min_short;
  training.policy.und_learning_rate = training.policy.gen_learning_rate = 1e-6;
  report_training(input, training);
}

}  // namespace diptych
