#include "diptych/train/loops/rl.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/stopwatch.h"
#include "diptych/base/text_format.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/flow/window.h"
#include "diptych/io/files.h"
#include "diptych/reward/chat/chat_json.h"
#include "diptych/tensor/device.h"
#include "diptych/tensor/failure.h"
#include "diptych/train/check/check_recipe.h"
#include "diptych/train/evaluate/evaluation_exchange.h"
#include "diptych/train/evaluate/evaluation_record.h"
#include "diptych/train/evaluate/training_evaluation.h"
#include "diptych/train/loops/export.h"
#include "diptych/train/loops/rl_metrics.h"
#include "diptych/train/rollout/command_context.h"
#include "diptych/train/rollout/rollout_record.h"
#include "diptych/train/rollout/step_kinds.h"
#include "diptych/train/run/ranks.h"
#include "diptych/train/run/run_log.h"
#include "diptych/train/run/weights_checksum.h"
#include "diptych/train/update/policy_update.h"

namespace diptych {

namespace {

// What a person needs to look into a step whose numbers were not finite.
void dump_step(const std::filesystem::path& folder, int64_t step, const RewardedRollout& rewarded) {
  nlohmann::json rows = nlohmann::json::array();
  for (size_t i = 0; i < rewarded.rollout.stages.size(); ++i) {
    const Stage& stage = rewarded.rollout.stages[i];
    nlohmann::json row{{"prompt", stage.candidate.prompt},
                       {"sample", stage.sample},
                       {"round", stage.round},
                       {"texts", stage.candidate.texts},
                       {"reward", rewarded.valid[i] ? nlohmann::json(rewarded.rewards[i]) : nlohmann::json()},
                       {"advantage", rewarded.advantages.values[i]}};
    if (stage.image && !stage.remote) row["latent_finite"] = stage.image->latent.isfinite().all().item<bool>();
    rows.push_back(std::move(row));
  }
  write_file_atomic(folder / cat("non_finite_step_", step, ".json"),
                    rows.dump(1, ' ', false, nlohmann::json::error_handler_t::replace));
}

bool moves(const UpdateReport& report) {
  return std::ranges::any_of(report.groups, [](const GroupStepReport& group) { return group.grad_norm != 0; });
}

Bagel& recomputing(Bagel& model, bool recompute) {
  model.decoder.recompute = recompute;
  return model;
}

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

/** With the model that the penalties compare with: what the recipe leaves open is what the run had. */
RlRecipe with_reference(RlRecipe recipe) {
  std::optional<ConfigText> stored = stored_recipe(recipe.run.dir);
  if (!stored && !recipe.run.from.empty()) stored = stored_recipe(recipe.run.from);
  if (!recipe.reference.empty() || !stored) return recipe;
  ConfigReader reader(*stored);
  reader("reference", recipe.reference, "");
  return recipe;
}

/** Draws of prompts that the steps before this one may have made. */
int64_t draws_until(const RlRecipe& recipe, int64_t step) {
  return step * most_draws(recipe);
}

ModelHashes hashes_of(const RlRecipe& recipe, ProcessGroup& ranks) {
  ModelHashes hashes = model_hashes(recipe.model, ranks);
  if (!recipe.reference.empty()) hashes.reference = hash_model_folder(recipe.reference, ranks);
  return hashes;
}

/** The state of a run between steps. */
class RlRun {
 public:
  // Everything that a wrong recipe can spoil is checked before the run folder is touched.
  RlRun(const RlRecipe& recipe, ProcessGroup& ranks)
      : recipe_(with_reference(checked_recipe(recipe))),
        ranks_(ranks),
        folder_(painting(load_run_model(recipe.model, recipe.run, ranks, policy_options(recipe)), recipe.rollout)),
        episode_(episode_options(recipe.rollout, 0)),
        evaluation_episode_(episode_options(recipe.rollout, recipe.eval.updates)),
        prompts_(make_prompt_stream(recipe.prompts, static_cast<uint64_t>(recipe.run.seed))),
        policy_(recomputing(folder_.model, recipe.train.recompute_layers), policy_options(recipe), ranks),
        session_(recipe.run, run_recipe(recipe_, recipe.kind), hashes_of(recipe_, ranks), ranks) {
    const int64_t unit = latent_token_pixels(folder_.model.config);
    const int64_t tokens = (recipe.rollout.image_size / unit) * (recipe.rollout.image_size / unit);
    // Each rank asks for its own prompts, and keeps a cache file of its own.
    if (needs_judge(recipe.reward)) judge_ = std::make_unique<Judge>(recipe.reward.judge, judge_folder());
    if (session_.writes()) {
      for (const std::string& warning : recipe_warnings(recipe)) log_warning(warning);
      const std::string& foreign = prompt_source(recipe.prompts.source).foreign;
      if (!foreign.empty() && asked_benchmarks(recipe.eval).empty())
        log_info(foreign + ": no evaluation on the shapes world");
    }
    together(ranks_, "the start of the reward", [&] { reward_ = started_reward(); });
    options_ = update_options(recipe, episode_, tokens * latent_token_width(folder_.model.config));
    evaluation_episode_.pack_done = stop_if_requested;
    if (!recipe_.reference.empty() && needs_reference(recipe.train)) {
      ModelFolder reference = load_model_folder(recipe_.reference, compute_dtype(recipe.run.dtype));
      policy_.take_reference(reference.model);
    }
    session_.restore(policy_.optimizer(), policy_.restorable());
    policy_.restored();
    for (const auto& [name, value] : session_.counters())
      if (name == "skipped_in_a_row") skipped_in_a_row_ = value;
    draw_from_where_the_run_was();
  }

  RlResult train();

 private:
  RewardFunction started_reward();
  RewardedRollout sample(int64_t step, MetricRow& row);
  void update(int64_t step, const RewardedRollout& rewarded, MetricRow& row);
  void warn_of_missing(int64_t step, const RewardedRollout& rewarded);
  MetricRow evaluate(int64_t step, MetricRow& row);
  bool finish_row(int64_t step, MetricRow& row, std::optional<MetricRow>& evaluated);
  bool evaluates_after(int64_t step) const;
  RlResult interrupted_at(int64_t step, RlResult result);
  void save(int64_t step, const std::optional<MetricRow>& row = std::nullopt);
  void keep_after(const std::exception& failure, int64_t step);
  void draw_from_where_the_run_was();
  std::filesystem::path judge_folder() const;
  // One rank's wish is enough: all end after the same step.
  bool stopping() { return any_rank(ranks_, stop_requested(), "the wish to stop"); }
  std::map<std::string, int64_t> counters() const;

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
  int64_t skipped_draws_ = 0;  // of prompts, by forks with fewer prompts a step
  bool has_warned_of_missing_ = false;
};

RewardFunction RlRun::started_reward() {
  const auto ask = [this](const std::vector<ChatRequest>& asked) { return judge_->ask(asked); };
  const auto first = [this] { return first_prompt(recipe_.prompts, static_cast<uint64_t>(recipe_.run.seed)); };
  return make_reward(recipe_.reward, judge_ ? ChatFunction(ask) : ChatFunction(),
                     command_context(first, episode_, ranks_));
}

std::map<std::string, int64_t> RlRun::counters() const {
  std::map<std::string, int64_t> counters{{"skipped_in_a_row", skipped_in_a_row_}};
  if (skipped_draws_ > 0) counters["skipped_draws"] = skipped_draws_;
  return counters;
}

/** Prompts are numbered by their draw (step_kinds.h). A fork that draws fewer at a time would count through numbers
 *  again that the run it came from has had. */
void RlRun::draw_from_where_the_run_was() {
  const std::map<std::string, int64_t> counters = session_.counters();
  if (const auto found = counters.find("skipped_draws"); found != counters.end()) skipped_draws_ = found->second;
  if (session_.forks()) {
    const RlRecipe before = recipe_of_run<RlRecipe>(recipe_.run.from);
    const int64_t drawn = (draws_until(before, session_.first_step()) + skipped_draws_) * before.prompts.per_step;
    const int64_t per_draw = recipe_.prompts.per_step;
    skipped_draws_ =
        std::max<int64_t>((drawn + per_draw - 1) / per_draw - draws_until(recipe_, session_.first_step()), 0);
  }
  prompts_ = [all = std::move(prompts_), skipped = static_cast<uint64_t>(skipped_draws_)](uint64_t draw) {
    return all(draw + skipped);
  };
}

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
  const int64_t every = recipe_.train.record_every;
  if (every > 0 && (step == 0 || (step + 1) % every == 0))
    together(ranks_, "the record of chains", [&] {
      if (session_.writes()) record_rollout(session_.folder(), step + 1, rewarded, folder_.model);
    });
  return rewarded;
}

// Told whenever nothing could be scored, and the first time that something could not.
void RlRun::warn_of_missing(int64_t step, const RewardedRollout& rewarded) {
  const std::optional<MissingRewards> missing = missing_rewards(rewarded);
  if (!missing || (has_warned_of_missing_ && rewarded.advantages.valid_samples > 0)) return;
  has_warned_of_missing_ = true;
  log_warning(cat("step ", step + 1, ": ", missing->count, " of ", rewarded.rewards.size(),
                  " chains have no reward and are left out",
                  rewarded.advantages.valid_samples > 0 ? "" : ", so nothing was learnt",
                  missing->reason.empty() ? "" : "; one of them says: " + excerpt(missing->reason)));
}

void RlRun::update(int64_t step, const RewardedRollout& rewarded, MetricRow& row) {
  warn_of_missing(step, rewarded);
  if (rewarded.contributing.empty()) {
    if (rewarded.advantages.valid_samples > 0)
      log_warning(cat("step ", step + 1, ": no group has a spread of rewards, so nothing was learnt"));
    return;
  }
  const Stopwatch referencing;
  std::vector<StageValues> reference;
  if (needs_reference(recipe_.train)) {
    const ReferenceInPlace in_place(policy_);
    reference = replay_values(folder_.model, rewarded.rollout, rewarded.contributing, options_);
  }
  row["time/reference"] = referencing.seconds();
  const Stopwatch updating;
  const auto rate = [&] {
    return learning_rate_scale(recipe_.optimizer, policy_.optimizer().step_count(), step, recipe_.train.steps);
  };
  const UpdateInput input{rewarded.rollout, rewarded.contributing, rewarded.advantages.values, reference};
  const UpdateReport report = PolicyUpdate(folder_.model, policy_, options_, input).run(rate);
  const double seconds = updating.seconds();
  row["time/update"] = seconds;
  row["time/update_gflops"] = report.flops / seconds * 1e-9;
  add_update_metrics(report, row);
  if (report.applied > 0 && !moves(report))
    log_warning(
        cat("step ", step + 1, ": every gradient was 0, so nothing was learnt: do the losses reach train.parameters?"));
  if (report.skipped == 0) {
    skipped_in_a_row_ = 0;
    return;
  }
  together(ranks_, "the record of a step that was not finite", [&] {
    if (session_.writes()) dump_step(session_.folder(), step + 1, rewarded);
  });
  skipped_in_a_row_ += report.skipped;
  log_warning(cat("step ", step + 1, ": ", report.skipped, " updates were not finite and were skipped"));
  if (skipped_in_a_row_ < recipe_.train.max_skipped) return;
  throw Error(ExitCode::numerics, {cat("step ", step + 1), "finite losses and gradients",
                                   cat(skipped_in_a_row_, " updates in a row that were not"),
                                   "lower the learning rates; the chains are in non_finite_step_*.json"});
}

/** Adds the numbers of the evaluation to the row, and returns them. */
MetricRow RlRun::evaluate(int64_t step, MetricRow& row) {
  policy_.gather_weights();
  const Stopwatch started;
  const EvaluationInput input{.painter = {folder_.model, folder_.tokenizer, evaluation_episode_},
                              .config = recipe_.eval,
                              .reward =
                                  [this](const std::vector<ScoredPair>& pairs) {
                                    return score_unless_stopped(reward_, pairs, give_up_of(judge_.get()));
                                  },
                              .share = share_of(ranks_)};
  const auto record = [&](const Benchmark& benchmark, const BenchmarkResult& result) {
    together(ranks_, "the record of an evaluation", [&] {
      if (session_.writes())
        record_samples(session_.folder(), step, benchmark, result.samples, session_.metrics().tensorboard());
    });
  };
  const MetricRow numbers = evaluate_all(asked_benchmarks(recipe_.eval), input, step, record);
  row.insert(numbers.begin(), numbers.end());
  row["time/evaluation"] = started.seconds();
  return numbers;
}

RlResult RlRun::interrupted_at(int64_t step, RlResult result) {
  save(step);
  result.steps = step;
  result.reason = EndReason::interrupted;
  return result;
}

void RlRun::save(int64_t step, const std::optional<MetricRow>& row) {
  session_.save(step, policy_.optimizer(), policy_.optimizer().owned_master_weights(), counters(), row);
}

/** A failed step leaves the weights as they are, those of the step before unless one of its updates was made, so that a
 *  mended cause costs nothing. */
void RlRun::keep_after(const std::exception& failure, int64_t step) {
  skipped_in_a_row_ = 0;
  session_.save_after(failure, step, [&] {
    if (!policy_.intact()) throw std::runtime_error("an update was half done; the last checkpoint counts");
    save(step);
  });
}

/** Whether the recipe asks for an evaluation after `step` steps. */
bool RlRun::evaluates_after(int64_t step) const {
  return !asked_benchmarks(recipe_.eval).empty() && evaluation_is_due(recipe_.eval, step, recipe_.train.steps);
}

/** Evaluates after `step` steps, where that is due, and writes their row. False if a signal came first; the
 * continuation evaluates then. */
bool RlRun::finish_row(int64_t step, MetricRow& row, std::optional<MetricRow>& evaluated) {
  try {
    if (evaluates_after(step)) evaluated = evaluate(step, row);
  } catch (const Error& error) {
    if (error.code() != ExitCode::interrupted) throw;
    return false;
  }
  together(ranks_, "the metrics", [&] {
    if (session_.writes() && !row.empty()) session_.metrics().write(step, row);
  });
  return true;
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
  if (session_.writes())
    log_run_start({.run = recipe_.run,
                   .model = recipe_.model,
                   .first_step = session_.first_step(),
                   .steps = recipe_.train.steps,
                   .groups = policy_.optimizer().groups(),
                   .model_bytes = folder_bytes(folder_.model)});
  if (recipe_.train.scale_with_geometry)
    log_info(cat("image clip and velocity-MSE weight are scaled by ", options_.geometry_factor,
                 " for this latent and grid"));
  if (session_.forks()) save(session_.first_step());
  if (!session_.continues() || session_.unfinished_row()) {
    MetricRow row = session_.unfinished_row().value_or(MetricRow());
    std::optional<MetricRow> evaluated;
    if (!finish_row(result.steps, row, evaluated)) {
      if (!session_.continues()) save(0, row);
      result.reason = EndReason::interrupted;
      return result;
    }
    if (result.steps == 0) result.before = evaluated;
    if (result.steps == recipe_.train.steps) result.after = std::move(evaluated);
  }
  Progress progress(recipe_.train.steps, "train", session_.first_step());
  for (int64_t step = session_.first_step(); step < recipe_.train.steps; ++step) {
    const Stopwatch started;
    MetricRow row;
    try {
      const RewardedRollout rewarded = sample(step, row);
      update(step, rewarded, row);
    } catch (const std::exception& failure) {
      const ExitCode code = as_error(failure).code();
      if (code == ExitCode::peer) throw;  // nothing can be done together any more
      if (code == ExitCode::interrupted) return interrupted_at(step, result);
      keep_after(failure, step);
      throw;
    }
    row["time/step"] = started.seconds();
    result.seconds += started.seconds();
    const int64_t done = step + 1;
    const bool last = done == recipe_.train.steps;
    result.steps = done;
    row["time/peak_memory_gb"] = static_cast<double>(peak_memory_bytes(folder_.model.embed_tokens.device())) * 1e-9;
    // An evaluation takes long and may fail: until it ends, the checkpoint keeps the row.
    const bool saved = last || evaluates_after(done) || session_.due(done);
    if (saved) save(done, row);
    std::optional<MetricRow> evaluated;
    try {
      if (!finish_row(done, row, evaluated)) {
        progress.finish();
        result.reason = EndReason::interrupted;
        return result;
      }
    } catch (const std::exception& failure) {
      if (!saved) session_.save_after(failure, done, [&] { save(done, row); });
      throw;
    }
    if (last) result.after = std::move(evaluated);
    if (session_.writes())
      progress.update(done,
                      row.contains("reward/mean") ? cat("reward ", fixed(row.at("reward/mean"), 3)) : "no reward");
    const bool interrupted = !last && stopping();
    if (interrupted && !saved) save(done, row);
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
