#include "diptych/train/update/policy_update.h"

#include <nlohmann/json.hpp>

#include "diptych/algorithm/geometry.h"
#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/tensor/packs.h"
#include "diptych/train/optimizer/gradient_sum.h"
#include "diptych/train/run/exchanged_json.h"
#include "diptych/train/run/ranks.h"

namespace diptych {

namespace {

// On the first update new and old policy are one; what is left is rounding between equal packs.
constexpr double kFirstTextRatio = 1e-4;
constexpr double kFirstImageRatio = 0.05;  // in image clips

std::vector<std::vector<size_t>> parts_of(const std::vector<size_t>& items, size_t size) {
  std::vector<std::vector<size_t>> parts;
  for (size_t begin = 0; begin < items.size(); begin += size)
    parts.emplace_back(items.begin() + static_cast<int64_t>(begin),
                       items.begin() + static_cast<int64_t>(std::min(items.size(), begin + size)));
  return parts;
}

// A stopped stage has no picture and a plain one no text, so with one loss alone some stages hold nothing to learn.
std::vector<size_t> trained_chains(const Rollout& rollout, const std::vector<size_t>& stages,
                                   const ReplayOptions& options) {
  std::vector<size_t> trained;
  for (size_t index : stages) {
    const Stage& stage = rollout.stages[index];
    if ((stage.text && options.with_text) || (stage.image && options.with_image)) trained.push_back(index);
  }
  return trained;
}

// What trains, for each update of an epoch. Whole groups stay together, so that a prompt's context is computed once per
// update.
std::vector<std::vector<size_t>> mini_batches(const Rollout& rollout, const std::vector<size_t>& stages,
                                              const UpdateOptions& options) {
  const int64_t count = options.mini_batches;
  std::vector<std::vector<size_t>> batches(static_cast<size_t>(count));
  for (size_t index : trained_chains(rollout, stages, options.replay))
    batches[static_cast<size_t>(rollout.stages[index].prompt * count / rollout.prompts)].push_back(index);
  std::erase_if(batches, [](const auto& batch) { return batch.empty(); });
  return batches;
}

// The packs of a mini-batch on this process: the same for replays without gradient and for updates, so that both round
// alike.
std::vector<std::vector<size_t>> packs_of(const Rollout& rollout, const std::vector<size_t>& batch,
                                          const UpdateOptions& options) {
  return parts_of(own_stages(rollout, batch), static_cast<size_t>(options.chains_per_pack));
}

JointDenominators denominators_of(const Rollout& rollout, const std::vector<size_t>& stages) {
  JointDenominators denominators;
  for (size_t index : stages) {
    if (rollout.stages[index].image) ++denominators.images;
    if (!rollout.stages[index].text) continue;
    ++denominators.text.sequences;
    denominators.text.tokens += static_cast<int64_t>(rollout.stages[index].text->tokens.size());
  }
  return denominators;
}

void place_values(const std::vector<size_t>& stages, const std::vector<StageValues>& values,
                  std::vector<StageValues>& by_chain) {
  for (size_t c = 0; c < stages.size(); ++c) by_chain[stages[c]] = values[c];
}

double in_clips(const RatioStatistics& ratios, const ClipRange& clip) {
  return ratios.count == 0 ? 0 : ratios.max_abs_log_ratio.item<double>() / std::max(clip.low, clip.high);
}

void add_losses(const JointLoss& loss, UpdateReport& report) {
  report.text_loss += loss.text;
  report.image_loss += loss.image;
  report.velocity_mse += loss.velocity_mse;
  report.latent_kl += loss.latent_kl;
  report.text_kl += loss.text_kl;
  merge_ratios(report.text_ratios, loss.text_ratios);
  merge_ratios(report.image_ratios, loss.image_ratios);
}

bool all_finite(const std::vector<StageValues>& values) {
  for (const StageValues& stage : values) {
    if (stage.logprobs.defined() && !stage.logprobs.isfinite().all().item<bool>()) return false;
    if (stage.velocities.defined() && !stage.velocities.isfinite().all().item<bool>()) return false;
  }
  return true;
}

void start_update(UpdateReport& report) {
  report.text_loss = report.image_loss = report.velocity_mse = report.latent_kl = report.text_kl = 0;
  report.text_ratios = {};
  report.image_ratios = {};
}

// A NaN counts as the largest of all numbers.
bool exceeds(double value, double largest) {
  return !std::isnan(largest) && !(value <= largest);
}

void check_first_update(const UpdateReport& report) {
  const bool text_fits = report.first_text_ratio <= kFirstTextRatio;
  const bool image_fits = report.first_image_ratio <= kFirstImageRatio;
  if (text_fits && image_fits) return;
  throw Error(ExitCode::numerics,
              {"ratio gate A, first update", "ratio 1: the policy has not moved since the old values were fixed",
               cat("|log ratio| up to ", report.first_text_ratio, " for text and ", report.first_image_ratio,
                   " clips for images"),
               "a forward pass that is not deterministic on this device; please report it"});
}

// Gradients and values of the own stages of a mini-batch. Returns whether all losses are finite.
bool add_gradients(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& batch,
                   const std::vector<double>& advantages, const std::vector<StageValues>& reference,
                   const UpdateOptions& options, TrainedPolicy& policy, bool replays_old, std::vector<StageValues>& old,
                   UpdateReport& report) {
  const JointDenominators denominators = denominators_of(rollout, batch);
  const std::vector<std::vector<size_t>> packs = packs_of(rollout, batch, options);
  const auto count = static_cast<int64_t>(packs.size());
  const at::Device device = model.embed_tokens.device();
  std::vector<JointLoss> losses(packs.size());
  std::vector<double> flops(packs.size());
  DealtLayers* const dealt = policy.dealt_layers();
  const bool in_turn = dealt != nullptr || packs_at_once(device, count) <= 1;
  GradientSum sum(policy.parameters(), in_turn ? 1 : packs_at_once(device, count));
  const auto add_pack = [&](int64_t number) {
    const auto p = static_cast<size_t>(number);
    const ReplayOutput now = replay(model, rollout, packs[p], options.replay);
    flops[p] = (policy.adapted() ? 2 : 3) * now.flops;  // weights behind adapters have no gradients
    if (replays_old) place_values(packs[p], stage_values(rollout, packs[p], now), old);
    losses[p] = joint_loss(rollout, packs[p], now, old, reference, advantages, options.loss, denominators);
    // Packs in turn end in one plain backward pass, whose gradients can be on their way before it is over.
    if (in_turn && number + 1 == count) policy.buckets().watch();
    sum.add(number, losses[p].total);
    losses[p].total = losses[p].total.detach();
  };
  if (dealt == nullptr) {
    for_each_pack(device, count, add_pack);
  } else {
    // Layers come and go on all ranks together.
    const Tensor most = at::full({1}, count, at::kLong);
    policy.ranks().all_reduce_max(most, "packs of a rank");
    for (int64_t number = 0; number < most.item<int64_t>(); ++number)
      number < count ? add_pack(number) : dealt->idle_pass();
  }
  if (!in_turn || count == 0) policy.buckets().watch();
  policy.buckets().start();
  bool finite = true;
  for (size_t p = 0; p < packs.size(); ++p) {
    finite = finite && std::isfinite(losses[p].total.item<double>());
    report.flops += flops[p];
    add_losses(losses[p], report);
  }
  return finite;
}

nlohmann::json to_json(const RatioStatistics& ratios) {
  if (ratios.count == 0) return nullptr;
  return {ratios.count, ratios.ratio_mean.item<double>(), ratios.max_abs_log_ratio.item<double>(),
          ratios.fraction_above.item<double>(), ratios.fraction_below.item<double>()};
}

RatioStatistics ratios_of(const nlohmann::json& stored) {
  if (stored.is_null()) return {};
  const auto number = [&](size_t i) { return at::scalar_tensor(stored.at(i).get<double>(), at::kDouble); };
  return {stored.at(0), number(1), number(2), number(3), number(4)};
}

// What one process saw of the last update, joined to what all saw.
void join_reports(ProcessGroup& ranks, UpdateReport& report, GateReport& gate) {
  if (ranks.world() == 1) return;
  const nlohmann::json own{
      {"losses", {report.text_loss, report.image_loss, report.velocity_mse, report.latent_kl, report.text_kl}},
      {"ratios", {to_json(report.text_ratios), to_json(report.image_ratios)}},
      {"first", {report.first_text_ratio, report.first_image_ratio}},
      {"gate", {gate.text_mean * gate.tokens, gate.text_max, gate.image_max, gate.tokens}},
      {"flops", report.flops}};
  start_update(report);
  report.flops = 0;
  gate = {};
  for (const nlohmann::json& other : gather_json(ranks, own, "report of the update")) {
    const auto number = [&](const char* name, size_t i) { return other.at(name).at(i).get<double>(); };
    report.text_loss += number("losses", 0);
    report.image_loss += number("losses", 1);
    report.velocity_mse += number("losses", 2);
    report.latent_kl += number("losses", 3);
    report.text_kl += number("losses", 4);
    merge_ratios(report.text_ratios, ratios_of(other.at("ratios").at(0)));
    merge_ratios(report.image_ratios, ratios_of(other.at("ratios").at(1)));
    report.first_text_ratio = std::max(report.first_text_ratio, number("first", 0));
    report.first_image_ratio = std::max(report.first_image_ratio, number("first", 1));
    gate.text_mean += number("gate", 0);
    gate.tokens += number("gate", 3);
    gate.text_max = std::max(gate.text_max, number("gate", 1));
    gate.image_max = std::max(gate.image_max, number("gate", 2));
    report.flops += other.at("flops").get<double>();
  }
  if (gate.tokens > 0) gate.text_mean /= gate.tokens;
}

}  // namespace

std::vector<size_t> own_stages(const Rollout& rollout, std::vector<size_t> stages) {
  std::erase_if(stages, [&](size_t index) { return rollout.stages[index].remote; });
  return stages;
}

PolicyOptions policy_options(const RlRecipe& recipe) {
  AdamWOptions adamw = adamw_options(recipe.optimizer);
  adamw.bfloat16_gradients = recipe.train.gradient_dtype == "bfloat16";
  return {.parameters = recipe.train.parameters,
          .adapters = {recipe.lora.rank, recipe.lora.alpha, recipe.lora.targets},
          .und_learning_rate = recipe.train.und_learning_rate,
          .gen_learning_rate = recipe.train.gen_learning_rate,
          .max_grad_norm = recipe.optimizer.max_grad_norm,
          .adamw = adamw,
          .seed = static_cast<uint64_t>(recipe.run.seed),
          .keeps_reference = needs_reference(recipe.train),
          .shard_weights = recipe.train.shard_weights};
}

UpdateOptions update_options(const RlRecipe& recipe, const EpisodeOptions& episode, int64_t latent_elements) {
  const RlTrainConfig& train = recipe.train;
  UpdateOptions options;
  if (train.scale_with_geometry)
    options.geometry_factor = geometry_scale(latent_elements, episode.schedule.grid, recipe.rollout.window_range[0],
                                             recipe.rollout.window_range[1], recipe.rollout.noise_level);
  JointLossOptions& loss = options.loss;
  loss.text_weight = train.text_weight;
  loss.image_weight = train.image_weight;
  const double elements = train.velocity_mse_reduction == "sum" ? static_cast<double>(latent_elements) : 1.0;
  loss.velocity_mse_weight = train.velocity_mse_weight * options.geometry_factor * elements;
  loss.latent_kl_weight = train.latent_kl_weight;
  loss.text_kl_weight = train.text_kl_weight;
  loss.text_clip = {train.text_clip_low, train.text_clip_high};
  loss.image_clip = {train.image_clip_low * options.geometry_factor, train.image_clip_high * options.geometry_factor};
  loss.aggregation =
      train.text_aggregation == "token_mean" ? TokenAggregation::token_mean : TokenAggregation::sequence_mean;
  loss.sequence_ratio = train.text_ratio == "sequence";
  loss.text_advantage_clamp = train.text_advantage_clamp;
  loss.image_advantage_clamp = train.image_advantage_clamp;
  loss.ratio_norm = train.ratio_norm;
  loss.inverse_dt = train.inverse_dt;
  options.needs_reference = needs_reference(train);

  ReplayOptions& replay = options.replay;
  replay.temperature = recipe.rollout.temperature == 0 ? 1 : recipe.rollout.temperature;  // as in SampledText
  replay.detach_context = train.context_gradient == "detached";
  replay.with_text = writes(episode.program) && (train.text_weight > 0 || train.text_kl_weight > 0);
  replay.with_image = needs_velocities(train);
  options.gate_text = train.gate_text;
  options.gate_text_mean = recipe.run.dtype == "bfloat16";
  options.gate_image = train.gate_image;
  options.mini_batches = train.mini_batches;
  options.epochs = train.epochs;
  options.chains_per_pack = train.chains_per_pack;
  options.old_from_rollout = train.old_logprob == "rollout";
  return options;
}

std::vector<StageValues> replay_values(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& stages,
                                       const UpdateOptions& options) {
  at::NoGradGuard no_grad;
  std::vector<StageValues> values(rollout.stages.size());
  std::vector<std::vector<size_t>> packs;
  for (const std::vector<size_t>& batch : mini_batches(rollout, stages, options))
    for (std::vector<size_t>& pack : packs_of(rollout, batch, options)) packs.push_back(std::move(pack));
  for_each_pack(model.embed_tokens.device(), static_cast<int64_t>(packs.size()), [&](int64_t p) {
    const std::vector<size_t>& pack = packs[static_cast<size_t>(p)];
    place_values(pack, stage_values(rollout, pack, replay(model, rollout, pack, options.replay)), values);
  });
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

GateReport check_replay(const Rollout& rollout, const std::vector<size_t>& stages,
                        const std::vector<StageValues>& replayed, const UpdateOptions& options) {
  const std::vector<StageValues> sampled = sampler_values(rollout);
  const Tensor gains = at::tensor(window_gains(rollout.schedule), at::kDouble);
  const double clip = std::max(options.loss.image_clip.low, options.loss.image_clip.high);
  GateReport report;
  size_t text_stage = 0;
  size_t image_stage = 0;
  for (size_t index : stages) {
    if (replayed[index].logprobs.defined()) {
      const Tensor change = (replayed[index].logprobs.to(at::kDouble) - sampled[index].logprobs.to(at::kDouble)).abs();
      report.text_mean += change.sum().item<double>();
      report.tokens += static_cast<double>(change.numel());
      const double largest = change.max().item<double>();
      if (exceeds(largest, report.text_max)) {
        report.text_max = largest;
        text_stage = index;
      }
    }
    if (replayed[index].velocities.defined()) {
      const Tensor change = replayed[index].velocities.to(at::kDouble) - sampled[index].velocities.to(at::kDouble);
      const Tensor rms = change.square().mean({1, 2}).sqrt() * gains.abs();
      const double elements = static_cast<double>(change[0].numel());
      const double largest = rms.max().item<double>() / std::sqrt(elements) / clip;
      if (exceeds(largest, report.image_max)) {
        report.image_max = largest;
        image_stage = index;
      }
    }
  }
  if (report.tokens > 0) report.text_mean /= report.tokens;
  const double text_difference = options.gate_text_mean ? report.text_mean : report.text_max;
  if (text_difference <= options.gate_text && report.image_max <= options.gate_image) return report;
  const Stage& text = rollout.stages[text_stage];
  const Stage& image = rollout.stages[image_stage];
  throw Error(ExitCode::numerics,
              {"ratio gate B, replay against sampler",
               cat(options.gate_text_mean ? "mean " : "", "|log-prob difference| up to ", options.gate_text,
                   " and image difference up to ", options.gate_image, " clips"),
               cat("text ", options.gate_text_mean ? cat("mean ", report.text_mean, ", largest ") : "", report.text_max,
                   " (prompt ", text.prompt, ", sample ", text.sample, "), image ", report.image_max, " clips (prompt ",
                   image.prompt, ", sample ", image.sample, ")"),
               "the two passes disagree numerically: raise train.gate_text / train.gate_image only if you know why"});
}

UpdateReport update_policy(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& contributing,
                           const std::vector<double>& advantages, const std::vector<StageValues>& reference,
                           const UpdateOptions& options, TrainedPolicy& policy,
                           const std::function<double()>& learning_rate_scale, GateReport& gate) {
  policy.gather_weights();
  const std::vector<size_t> own = own_stages(rollout, trained_chains(rollout, contributing, options.replay));
  // Of all ranks, so that all agree on how many updates there are and what they are divided by.
  const std::vector<std::vector<size_t>> batches = mini_batches(rollout, contributing, options);
  const bool one_update = batches.size() == 1 && options.epochs == 1;
  ProcessGroup& ranks = policy.ranks();
  UpdateReport report;
  std::vector<StageValues> old(rollout.stages.size());
  if (options.old_from_rollout || !one_update) {
    bool finite = true;
    together(ranks, "replay of old values", [&] {
      const std::vector<StageValues> replayed = replay_values(model, rollout, contributing, options);
      finite = all_finite(replayed);
      if (finite) gate = check_replay(rollout, own, replayed, options);
      old = options.old_from_rollout ? sampler_values(rollout) : replayed;
    });
    if (any_rank(ranks, !finite, "finite old values")) {
      report.skipped = static_cast<int64_t>(batches.size()) * options.epochs;
      return report;
    }
  }

  policy.deal_weights();
  bool first = true;
  for (int64_t epoch = 0; epoch < options.epochs; ++epoch) {
    for (const std::vector<size_t>& batch : batches) {
      policy.optimizer().clear_gradients();
      start_update(report);
      bool finite = true;
      together(ranks, "losses", [&] {
        const bool replays_old = one_update && !options.old_from_rollout;
        finite = add_gradients(model, rollout, batch, advantages, reference, options, policy, replays_old, old, report);
        if (!first) return;
        if (finite && replays_old) gate = check_replay(rollout, own, old, options);
        report.first_text_ratio =
            report.text_ratios.count == 0 ? 0 : report.text_ratios.max_abs_log_ratio.item<double>();
        report.first_image_ratio = in_clips(report.image_ratios, options.loss.image_clip);
        if (finite && !options.old_from_rollout) check_first_update(report);
      });
      first = false;
      if (any_rank(ranks, !finite, "finite losses")) {
        policy.buckets().finish();
        policy.optimizer().release_gradients();
        ++report.skipped;
        continue;
      }
      const StepReport step = policy.step(learning_rate_scale());
      report.groups = step.groups;
      ++(step.applied ? report.applied : report.skipped);
    }
  }
  join_reports(ranks, report, gate);
  return report;
}

}  // namespace diptych
