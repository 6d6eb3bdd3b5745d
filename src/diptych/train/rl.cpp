#include "diptych/train/rl.h"
#include "diptych/tensor/device.h"

#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/flow/window.h"
#include "diptych/io/files.h"
#include "diptych/train/check_recipe.h"
#include "diptych/train/evaluation_exchange.h"
#include "diptych/train/evaluation_record.h"
#include "diptych/train/export.h"
#include "diptych/train/ranks.h"
#include "diptych/train/rl_metrics.h"
#include "diptych/train/rollout_record.h"
#include "diptych/train/rollout_step.h"
#include "diptych/train/weights_checksum.h"

namespace diptych {

namespace {

// What a person needs to look into a step whose numbers were not finite.
void dump_step(const std::filesystem::path& folder, int64_t step, const RewardedRollout& rewarded) {
  nlohmann::json rows = nlohmann::json::array();
  for (size_t i = 0; i < rewarded.rollout.chains.size(); ++i) {
    const Trajectory& chain = rewarded.rollout.chains[i];
    nlohmann::json row{{"prompt", chain.candidate.prompt},
                       {"sample", chain.sample},
                       {"round", chain.round},
                       {"texts", chain.candidate.texts},
                       {"reward", rewarded.valid[i] ? nlohmann::json(rewarded.rewards[i]) : nlohmann::json()},
                       {"advantage", rewarded.advantages.values[i]}};
    if (chain.image && !chain.remote) row["latent_finite"] = chain.image->latent.isfinite().all().item<bool>();
    rows.push_back(std::move(row));
  }
  write_file_atomic(folder / cat("non_finite_step_", step, ".json"),
                    rows.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

// Under a cosine the learning rate of every step depends on the last one, so the number of steps is fixed.
std::vector<std::string> free_keys(const RlRecipe& recipe) {
  std::vector<std::string> keys = always_free_keys();
  keys.push_back("eval.*");
  keys.push_back("train.record_every");
  keys.push_back("train.recompute_layers");
  keys.push_back("train.shard_weights");
  keys.push_back("reward.judge.*");
  if (recipe.optimizer.decay == "constant") keys.push_back("train.steps");
  return keys;
}

Bagel& recomputing(Bagel& model, bool recompute) {
  model.decoder.recompute = recompute;
  return model;
}

/** The state of a run between steps. */
/** Of the GPU's memory where there is one, else of the process. */
int64_t peak_memory_bytes(at::Device device) {
  c10::DeviceAllocator* const allocator = counting_allocator(device);
  return allocator == nullptr ? peak_resident_bytes() : peak_allocated_bytes(*allocator, device);
}

/** The folder, whose model can paint what the recipe asks for. */
ModelFolder painting(ModelFolder folder, const RolloutConfig& rollout) {
  check_image_size(rollout, folder.model.config);
  return folder;
}

class RlRun {
 public:
  // Everything that a wrong recipe can spoil is checked before the run folder is touched.
  RlRun(const RlRecipe& recipe, ProcessGroup& ranks)
      : recipe_(checked_recipe(recipe)),
        ranks_(ranks),
        folder_(painting(load_run_model(recipe.model, recipe.run, ranks), recipe.rollout)),
        episode_(episode_options(recipe.rollout, 0)),
        evaluation_episode_(episode_options(recipe.rollout, recipe.eval.updates)),
        prompts_(make_prompt_stream(recipe.prompts, static_cast<uint64_t>(recipe.run.seed))),
        policy_(recomputing(folder_.model, recipe.train.recompute_layers), policy_options(recipe), ranks),
        session_(recipe.run, print_config(recipe), hash_model_folder(recipe.model, ranks), free_keys(recipe), ranks) {
    const int64_t unit = latent_token_pixels(folder_.model.config);
    const int64_t tokens = (recipe.rollout.image_size / unit) * (recipe.rollout.image_size / unit);
    if (needs_judge(recipe.reward)) {
      // Each rank asks for its own prompts, and keeps a cache file of its own.
      judge_ = std::make_unique<Judge>(recipe.reward.judge, judge_folder());
      reward_ =
          make_reward(recipe.reward, [this](const std::vector<ChatRequest>& asked) { return judge_->ask(asked); });
    } else {
      reward_ = make_reward(recipe.reward);
    }
    if (session_.writes())
      for (const std::string& warning : recipe_warnings(recipe)) log_warning(warning);
    options_ = update_options(recipe, episode_, tokens * latent_token_width(folder_.model.config));
    session_.restore(policy_.optimizer(), policy_.restorable());
    policy_.restored();
    for (const auto& [name, value] : session_.counters())
      if (name == "skipped_in_a_row") skipped_in_a_row_ = value;
  }

  RlResult train();

 private:
  RewardedRollout sample(int64_t step, MetricRow& row);
  void update(int64_t step, const RewardedRollout& rewarded, MetricRow& row);
  void warn_of_missing(int64_t step, const RewardedRollout& rewarded);
  std::optional<EvaluationResult> evaluate(int64_t step, MetricRow& row);
  RlResult interrupted_at(int64_t step, RlResult result);
  void save(int64_t step);
  std::filesystem::path judge_folder() const;
  // One rank's wish is enough: all end after the same step.
  bool stopping() { return any_rank(ranks_, stop_requested(), "the wish to stop"); }
  std::map<std::string, int64_t> counters() const { return {{"skipped_in_a_row", skipped_in_a_row_}}; }

  RlRecipe recipe_;
  ProcessGroup& ranks_;
  ModelFolder folder_;
  EpisodeOptions episode_;
  EpisodeOptions evaluation_episode_;
  PromptStream prompts_;
  TrainedPolicy policy_;
  Session session_;
  std::unique_ptr<Judge> judge_;  // absent where no reward asks one
  RewardFunction reward_;
  UpdateOptions options_;
  int64_t skipped_in_a_row_ = 0;
  bool has_warned_of_missing_ = false;
};

RewardedRollout RlRun::sample(int64_t step, MetricRow& row) {
  policy_.gather_weights();
  check_same_weights(folder_.model, ranks_);
  EpisodeOptions episode = episode_;
  const RolloutConfig& config = recipe_.rollout;
  episode.schedule.window_size = config.window_size;
  episode.schedule.window_begin =
      recipe_.train.window_start == "first"
          ? config.window_range[0]
          : window_start(static_cast<uint64_t>(recipe_.run.seed), static_cast<uint64_t>(step), config.window_range[0],
                         config.window_range[1], config.window_size);
  const JudgeStatistics before = judge_ ? judge_->statistics() : JudgeStatistics();
  RewardedRollout rewarded = rollout_step(
      {recipe_, folder_, episode, prompts_, reward_, ranks_, judge_.get(), static_cast<uint64_t>(step)}, row);
  if (judge_) add_judge_metrics(before, judge_->statistics(), row);
  add_reward_metrics(rewarded, row);
  add_text_metrics(rewarded.rollout, row);
  if (recipe_.train.record_every > 0 && step % recipe_.train.record_every == 0)
    together(ranks_, "the record of chains", [&] {
      if (session_.writes()) record_rollout(session_.folder(), step, rewarded, folder_.model);
    });
  return rewarded;
}

// Told whenever nothing could be scored, and the first time that something could not.
void RlRun::warn_of_missing(int64_t step, const RewardedRollout& rewarded) {
  const std::optional<MissingRewards> missing = missing_rewards(rewarded);
  if (!missing || (has_warned_of_missing_ && rewarded.advantages.valid_samples > 0)) return;
  has_warned_of_missing_ = true;
  log_warning(cat("step ", step, ": ", missing->count, " of ", rewarded.rewards.size(),
                  " chains have no reward and are left out",
                  rewarded.advantages.valid_samples > 0 ? "" : ", so nothing was learnt",
                  missing->reason.empty() ? "" : "; one of them says: " + missing->reason));
}

void RlRun::update(int64_t step, const RewardedRollout& rewarded, MetricRow& row) {
  warn_of_missing(step, rewarded);
  if (rewarded.contributing.empty()) {
    if (rewarded.advantages.valid_samples > 0)
      log_warning(cat("step ", step, ": no group has a spread of rewards, so nothing was learnt"));
    return;
  }
  const Stopwatch referencing;
  std::vector<ChainValues> reference;
  if (options_.needs_reference) {
    policy_.swap_reference();
    reference =
        replay_values(folder_.model, rewarded.rollout, own_chains(rewarded.rollout, rewarded.contributing), options_);
    policy_.swap_reference();
  }
  row["time/reference"] = referencing.seconds();
  const Stopwatch updating;
  GateReport gate;
  const UpdateReport report = update_policy(
      folder_.model, rewarded.rollout, rewarded.contributing, rewarded.advantages.values, reference, options_, policy_,
      learning_rate_scale(recipe_.optimizer, policy_.optimizer().step_count(), step, recipe_.train.steps), gate);
  const double seconds = updating.seconds();
  row["time/update"] = seconds;
  row["time/update_gflops"] = report.flops / seconds * 1e-9;
  add_update_metrics(report, gate, row);
  if (report.skipped == 0) {
    skipped_in_a_row_ = 0;
    return;
  }
  together(ranks_, "the record of a step that was not finite", [&] {
    if (session_.writes()) dump_step(session_.folder(), step, rewarded);
  });
  skipped_in_a_row_ += report.skipped;
  log_warning(cat("step ", step, ": ", report.skipped, " updates were not finite and were skipped"));
  if (skipped_in_a_row_ < recipe_.train.max_skipped) return;
  throw Error(ExitCode::numerics, {cat("step ", step), "finite losses and gradients",
                                   cat(skipped_in_a_row_, " updates in a row that were not"),
                                   "lower the learning rates; the chains are in non_finite_step_*.json"});
}

std::optional<EvaluationResult> RlRun::evaluate(int64_t step, MetricRow& row) {
  if (recipe_.eval.prompts == 0 && recipe_.eval.edits == 0) return std::nullopt;
  policy_.gather_weights();
  const Stopwatch started;
  const EvaluationShare share = share_of(ranks_);
  std::optional<EvaluationResult> result;
  if (recipe_.eval.prompts > 0) {
    result = evaluate_shapes(folder_.model, folder_.tokenizer, evaluation_episode_, recipe_.eval, reward_, share);
    add_evaluation(*result, row);
    together(ranks_, "the record of an evaluation", [&] {
      if (session_.writes()) record_samples(session_.folder(), step, *result, session_.metrics().tensorboard());
    });
    log_info(cat("step ", step, ": correct explicit ", fixed(result->correct_explicit, 3), ", implicit ",
                 fixed(result->correct_implicit, 3), ", reward ", fixed(result->reward, 3)));
  }
  if (recipe_.eval.edits > 0) {
    const EditEvaluation edits =
        evaluate_edits(folder_.model, folder_.tokenizer, evaluation_episode_, recipe_.eval, share);
    add_edits(edits, row);
    log_info(
        cat("step ", step, ": correct edits ", fixed(edits.all.correct, 3), ", overall ", fixed(edits.all.overall, 3)));
    together(ranks_, "the record of an evaluation", [&] {
      if (session_.writes())
        write_samples(session_.folder() / "eval", evaluation_file("", step, "_edits").filename(), edits.samples);
    });
  }
  row["time/evaluation"] = started.seconds();
  return result;
}

RlResult RlRun::interrupted_at(int64_t step, RlResult result) {
  save(step);
  result.steps = step;
  result.reason = EndReason::interrupted;
  return result;
}

void RlRun::save(int64_t step) {
  session_.save(step, policy_.optimizer(), policy_.optimizer().owned_master_weights(), counters());
}

std::filesystem::path RlRun::judge_folder() const {
  if (session_.writes()) return session_.folder();
  const std::filesystem::path own = session_.folder() / cat("rank_", ranks_.rank());
  make_folder(own);
  return own;
}

RlResult RlRun::train() {
  RlResult result;
  result.steps = session_.first_step();
  if (recipe_.train.scale_with_geometry)
    log_info(cat("image clip and velocity-MSE weight are scaled by ", options_.geometry_factor,
                 " for this latent and grid"));
  if (!session_.continues()) {
    MetricRow row;
    result.before = evaluate(0, row);
    if (!row.empty() && session_.writes()) session_.metrics().write(0, row);
  }
  Progress progress(recipe_.train.steps, "train", session_.first_step());
  for (int64_t step = session_.first_step(); step < recipe_.train.steps; ++step) {
    const Stopwatch started;
    MetricRow row;
    try {
      const RewardedRollout rewarded = sample(step, row);
      // A judge that was told to give up leaves a step without its rewards: it is dropped and done again.
      if (judge_ && stopping()) return interrupted_at(step, result);
      update(step, rewarded, row);
    } catch (const Error& error) {
      if (error.code() == ExitCode::peer) throw;  // nothing can be done together any more
      if (error.code() == ExitCode::interrupted || (judge_ && stopping())) return interrupted_at(step, result);
      // A failed step leaves the weights as they are, those of the step before unless one of its updates was made, so
      // that a mended cause costs nothing.
      skipped_in_a_row_ = 0;
      save(step);
      throw;
    }
    row["time/step"] = started.seconds();
    result.seconds += started.seconds();
    const int64_t done = step + 1;
    const bool last = done == recipe_.train.steps;
    if (last || (recipe_.eval.every > 0 && done % recipe_.eval.every == 0)) {
      std::optional<EvaluationResult> evaluated = evaluate(done, row);
      if (last) result.after = std::move(evaluated);
    }
    row["time/peak_memory_gb"] = static_cast<double>(peak_memory_bytes(folder_.model.embed_tokens.device())) * 1e-9;
    if (session_.writes()) {
      session_.metrics().write(done, row);
      progress.update(done,
                      row.contains("reward/mean") ? cat("reward ", fixed(row.at("reward/mean"), 3)) : "no reward");
    }
    result.steps = done;
    const bool interrupted = !last && stopping();
    if (interrupted || last || session_.due(done)) save(done);
    if (interrupted) {
      progress.finish();
      result.reason = EndReason::interrupted;
      return result;
    }
  }
  progress.finish();
  policy_.gather_weights();
  together(ranks_, "the trained model", [&] {
    if (session_.writes())
      export_policy(session_.folder(), folder_.model, policy_options(recipe_).adapters, recipe_.model);
  });
  return result;
}

}  // namespace

RlResult train_rl(const RlRecipe& recipe) {
  return with_ranks(recipe.run.peer_deadline, [&](ProcessGroup& ranks) { return RlRun(recipe, ranks).train(); });
}

}  // namespace diptych
