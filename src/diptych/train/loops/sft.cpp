#include "diptych/train/loops/sft.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/shapes_reward.h"
#include "diptych/tensor/failure.h"
#include "diptych/train/evaluate/evaluation_exchange.h"
#include "diptych/train/evaluate/evaluation_record.h"
#include "diptych/train/loops/export.h"
#include "diptych/train/loops/supervised_pack.h"
#include "diptych/train/optimizer/moving_average.h"
#include "diptych/train/optimizer/trainable.h"
#include "diptych/train/run/ranks.h"
#include "diptych/train/run/run_log.h"
#include "diptych/train/run/weights_checksum.h"

namespace diptych {

namespace {

// Evaluation and the saved model use the moving average, so it stands in for the weights for a while.
class AveragedWeights {
 public:
  /** `weights`: all that train. `average`: of those that this rank owns. */
  AveragedWeights(const std::vector<NamedTensor>& weights, const std::vector<NamedTensor>& average,
                  const std::map<std::string, int>& owners, ProcessGroup& ranks) {
    const at::NoGradGuard no_grad;
    std::map<std::string, Tensor> own;
    for (const NamedTensor& one : average) own.emplace(one.name, one.tensor);
    std::vector<int> roots;
    for (const NamedTensor& weight : weights) {
      weights_.push_back(weight.tensor.detach());
      live_.push_back(weights_.back().clone());
      if (const auto found = own.find(average_name(weight.name)); found != own.end())
        weights_.back().copy_(found->second);
      roots.push_back(owners.at(weight.name));
    }
    ranks.broadcast(weights_, roots, "averaged weights");
  }
  ~AveragedWeights() {
    const at::NoGradGuard no_grad;
    for (size_t i = 0; i < live_.size(); ++i) weights_[i].copy_(live_[i]);
  }
  AveragedWeights(const AveragedWeights&) = delete;
  AveragedWeights& operator=(const AveragedWeights&) = delete;

 private:
  std::vector<Tensor> weights_;
  std::vector<Tensor> live_;
};

SupervisedOptions supervised_options(const SftRecipe& recipe, const EpisodeOptions& episode) {
  SupervisedOptions options;
  options.system_prompt = episode.system_prompt;
  options.text_dropout = recipe.train.text_dropout;
  options.timestep_shift = recipe.train.timestep_shift;
  return options;
}

bool evaluates(const SftRecipe& recipe) {
  return recipe.data.source == "shapes" && recipe.eval.prompts > 0;
}

class SftRun {
 public:
  SftRun(const SftRecipe& recipe, ProcessGroup& ranks)
      : recipe_(checked_recipe(recipe)),
        ranks_(ranks),
        folder_(load_run_model(recipe.model, recipe.run, ranks, policy_options(recipe))),
        examples_(make_examples(recipe.data, recipe.train.batch, static_cast<uint64_t>(recipe.run.seed))),
        episode_(episode_options(recipe.rollout, recipe.eval.updates)),
        options_(supervised_options(recipe, episode_)),
        trained_(folder_.model, policy_options(recipe), ranks),
        session_(recipe.run, run_recipe(recipe, recipe.kind), model_hashes(recipe.model, ranks), ranks) {
    episode_.pack_done = stop_if_requested;
    folder_.model.decoder.recompute = recipe.train.recompute_layers;
    if (averages()) average_ = start_average(trained_.optimizer().owned_master_weights());
    session_.restore(trained_.optimizer(), with_average(trained_.restorable()));
  }

  EndReason train();

 private:
  bool averages() const { return recipe_.train.ema_decay > 0; }
  std::vector<NamedTensor> with_average(std::vector<NamedTensor> weights) const {
    weights.insert(weights.end(), average_.begin(), average_.end());
    return weights;
  }
  std::vector<SupervisedPack> draw_packs(int64_t step) const;
  void update(int64_t step, MetricRow& row);
  void evaluate(int64_t step, MetricRow& row);
  bool evaluates_after(int64_t step) const;
  bool finish_row(int64_t step, MetricRow& row);
  void save(int64_t step, const std::optional<MetricRow>& row = std::nullopt);
  std::unique_ptr<AveragedWeights> stand_in() const;

  SftRecipe recipe_;
  ProcessGroup& ranks_;
  ModelFolder folder_;
  ExampleSource examples_;
  EpisodeOptions episode_;
  SupervisedOptions options_;
  TrainedPolicy trained_;
  Session session_;
  std::vector<NamedTensor> average_;  // of the masters that this rank owns
};

std::unique_ptr<AveragedWeights> SftRun::stand_in() const {
  if (!averages()) return nullptr;
  return std::make_unique<AveragedWeights>(all_parameters(trained_.optimizer().groups()), average_,
                                           trained_.optimizer().owners(), ranks_);
}

/** This rank's examples of a batch, consecutive ones: none where there are more ranks than examples. */
std::vector<SupervisedPack> SftRun::draw_packs(int64_t step) const {
  const int64_t batch = recipe_.train.batch;
  const int64_t end = batch * (ranks_.rank() + 1) / ranks_.world();
  const int64_t per_pack = recipe_.train.examples_per_pack > 0 ? recipe_.train.examples_per_pack : batch;
  std::vector<SupervisedPack> packs;
  for (int64_t first = batch * ranks_.rank() / ranks_.world(); first < end; first += per_pack) {
    std::vector<SupervisedExample> drawn;
    for (int64_t number = first; number < std::min(end, first + per_pack); ++number)
      drawn.push_back(examples_(static_cast<uint64_t>(step), static_cast<uint64_t>(number)));
    packs.push_back(make_supervised_pack(folder_.model, folder_.tokenizer, drawn, options_,
                                         static_cast<uint64_t>(recipe_.run.seed), static_cast<uint64_t>(step),
                                         static_cast<uint64_t>(first)));
  }
  return packs;
}

void SftRun::update(int64_t step, MetricRow& row) {
  std::vector<SupervisedPack> packs;
  together(ranks_, "examples of the batch", [&] { packs = draw_packs(step); });
  SupervisedTargets targets;
  for (const SupervisedPack& pack : packs) targets += count_targets(pack);
  const Tensor counts = at::tensor({targets.tokens, targets.elements}, at::kLong);
  ranks_.all_reduce_sum(counts, "targets of the batch");
  targets = {counts[0].item<int64_t>(), counts[1].item<int64_t>()};

  trained_.optimizer().clear_gradients();
  Tensor losses = at::zeros({2}, at::kDouble);
  for (size_t p = 0; p < packs.size(); ++p) {
    const SupervisedLoss loss = supervised_loss(folder_.model, packs[p], recipe_.train.cross_entropy_weight,
                                                recipe_.train.flow_weight, targets);
    if (p + 1 == packs.size()) trained_.buckets().watch();
    // Not so where only images train and these examples have none.
    if (loss.total.requires_grad()) loss.total.backward();
    losses += at::tensor({loss.cross_entropy, loss.flow}, at::kDouble);
  }
  if (packs.empty()) trained_.buckets().watch();
  trained_.buckets().start();
  const StepReport report = trained_.step(learning_rate_scale(recipe_.optimizer, step, step, recipe_.train.steps));
  check_applied(report, cat("sft step ", step + 1));
  if (averages()) update_average(average_, trained_.optimizer().owned_master_weights(), recipe_.train.ema_decay);
  ranks_.all_reduce_sum(losses, "losses of the batch");
  row["loss/cross_entropy"] = losses[0].item<double>();
  row["loss/flow"] = losses[1].item<double>();
  row["grad_norm/all"] = report.grad_norm;
}

void SftRun::evaluate(int64_t step, MetricRow& row) {
  const std::unique_ptr<AveragedWeights> averaged = stand_in();
  const EvaluationResult result = evaluate_shapes(folder_.model, folder_.tokenizer, episode_, recipe_.eval,
                                                  exact_reward(ShapesRewardKind::soft), share_of(ranks_));
  add_evaluation(result, row);
  log_info(cat("step ", step, ": correct explicit ", fixed(result.correct_explicit, 3), ", implicit ",
               fixed(result.correct_implicit, 3)));
}

void SftRun::save(int64_t step, const std::optional<MetricRow>& row) {
  check_same_weights(folder_.model, ranks_);
  session_.save(step, trained_.optimizer(), with_average(trained_.optimizer().owned_master_weights()), {}, row);
}

bool SftRun::evaluates_after(int64_t step) const {
  const bool in_turn = recipe_.eval.every > 0 && step % recipe_.eval.every == 0;
  return evaluates(recipe_) && (step == recipe_.train.steps || in_turn);
}

/** As in reinforcement: evaluates where that is due, and writes the row; false if a signal came first. */
bool SftRun::finish_row(int64_t step, MetricRow& row) {
  try {
    if (evaluates_after(step)) evaluate(step, row);
  } catch (const Error& error) {
    if (error.code() != ExitCode::interrupted) throw;
    return false;
  }
  together(ranks_, "the metrics", [&] {
    if (session_.writes()) session_.metrics().write(step, row);
  });
  return true;
}

EndReason SftRun::train() {
  check_same_weights(folder_.model, ranks_);
  if (session_.writes())
    log_run_start({.run = recipe_.run,
                   .model = recipe_.model,
                   .first_step = session_.first_step(),
                   .steps = recipe_.train.steps,
                   .groups = trained_.optimizer().groups(),
                   .model_bytes = folder_bytes(folder_.model),
                   .averages = averages() ? 1 : 0});
  if (session_.forks()) save(session_.first_step());
  if (session_.unfinished_row()) {
    MetricRow row = *session_.unfinished_row();
    if (!finish_row(session_.first_step(), row)) return EndReason::interrupted;
  }
  Progress progress(recipe_.train.steps, "sft", session_.first_step());
  for (int64_t step = session_.first_step(); step < recipe_.train.steps; ++step) {
    const Stopwatch started;
    MetricRow row;
    try {
      update(step, row);
    } catch (const std::exception& failure) {
      if (as_error(failure).code() == ExitCode::peer) throw;  // nothing can be done together any more
      session_.save_after(failure, step, [&] {
        if (!trained_.intact()) throw std::runtime_error("an update was half done; the last checkpoint counts");
        save(step);
      });
      throw;
    }
    row["time/step"] = started.seconds();
    const int64_t done = step + 1;
    const bool last = done == recipe_.train.steps;
    const bool saved = last || evaluates_after(done) || session_.due(done);
    if (saved) save(done, row);
    try {
      if (!finish_row(done, row)) {
        progress.finish();
        return EndReason::interrupted;
      }
    } catch (const std::exception& failure) {
      if (!saved) session_.save_after(failure, done, [&] { save(done, row); });
      throw;
    }
    if (session_.writes())
      progress.update(done,
                      cat("text ", fixed(row.at("loss/cross_entropy"), 3), "  flow ", fixed(row.at("loss/flow"), 4)));
    const bool stopping = !last && any_rank(ranks_, stop_requested(), "the wish to stop");
    if (stopping && !saved) save(done, row);
    if (stopping) {
      progress.finish();
      return EndReason::interrupted;
    }
  }
  progress.finish();
  const std::unique_ptr<AveragedWeights> averaged = stand_in();
  together(ranks_, "the trained model", [&] {
    if (!session_.writes()) return;
    // Rounded whatever run.dtype is, as published models are: assets/shapes_base came from such files.
    save_model_folder(session_.folder() / "model", folder_.model, recipe_.model, /*compact=*/true);
    check_model_folder(session_.folder() / "model", folder_.model, /*compact=*/true);
  });
  return EndReason::finished;
}

}  // namespace

PolicyOptions policy_options(const SftRecipe& recipe) {
  PolicyOptions options;
  options.parameters = recipe.train.parameters;
  options.und_learning_rate = options.gen_learning_rate = recipe.train.learning_rate;
  options.max_grad_norm = recipe.optimizer.max_grad_norm;
  options.adamw = adamw_options(recipe.optimizer);
  options.keeps_reference = false;
  return options;
}

SftRecipe checked_recipe(const SftRecipe& recipe) {
  if (recipe.train.cross_entropy_weight == 0 && recipe.train.flow_weight == 0)
    throw Error(ExitCode::config,
                {"train.cross_entropy_weight and train.flow_weight", "at least one above 0", "both 0", ""});
  if (evaluates(recipe)) check_evaluated_size(recipe.rollout.image_size);
  episode_options(recipe.rollout, recipe.eval.updates);
  return recipe;
}

EndReason train_sft(const SftRecipe& recipe) {
  return with_ranks(recipe.run.peer_deadline, [&](ProcessGroup& ranks) { return SftRun(recipe, ranks).train(); });
}

}  // namespace diptych
