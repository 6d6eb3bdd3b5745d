#pragma once
// What every training loop does around its steps: run folder, resume, metrics, checkpoints, a clean stop.

#include <functional>
#include <memory>

#include "diptych/base/config/config.h"
#include "diptych/base/progress.h"
#include "diptych/model/folder/folder.h"
#include "diptych/train/optimizer/optimizer_config.h"
#include "diptych/train/optimizer/trained_policy.h"
#include "diptych/train/run/checkpoint.h"
#include "diptych/train/run/metrics.h"
#include "diptych/train/run/recipe_changes.h"
#include "diptych/train/run/run_folder.h"
#include "diptych/train/run/stop.h"

namespace diptych {

struct RunConfig {
  std::string dir = "runs/latest";
  int64_t seed = 0;
  std::string resume = "auto";
  std::string from;
  int64_t threads = 0;
  std::string device = "cpu";
  std::string dtype = "float32";
  int64_t checkpoint_every = 0;
  int64_t keep_checkpoints = 2;
  int64_t peer_deadline = 1800;
};

inline void visit(ConfigFields& fields, RunConfig& run) {
  fields("dir", run.dir, "folder of the run: recipe, metrics, checkpoints, results", Change::free);
  fields.range("seed", run.seed, 0, INT64_MAX, "seed of every draw");
  fields.choice("resume", run.resume, {"auto", "never", "must"}, "auto continues a run that has a checkpoint",
                Change::free);
  fields("from", run.from,
         "run folder from whose last checkpoint this run starts: weights, moments, steps; prompts go on behind its own",
         Change::free);
  fields.range("threads", run.threads, 0, 1024,
               "CPU threads of each process; 0 deals the cores that they may use over those of the machine",
               Change::free);
  fields("device", run.device,
         "cpu; cuda: the GPU with the number of this process on its machine, 0 if it is alone; cuda:1: that one",
         Change::free);
  fields.choice("dtype", run.dtype, {"float32", "bfloat16"},
                "of the model's weights and activations; master weights, log-probabilities, latents, losses and Adam "
                "are float32 always");
  fields.range("checkpoint_every", run.checkpoint_every, 0, INT64_MAX, "steps between checkpoints; 0: only at the end",
               Change::free);
  fields.range("keep_checkpoints", run.keep_checkpoints, 1, 1000, "checkpoints that stay on disk", Change::free);
  fields.range("peer_deadline", run.peer_deadline, 1, 1000000,
               "seconds that the processes of a run wait for each other before they end and say for whom",
               Change::free);
}

/** Why a loop ended. */
enum class EndReason { finished, interrupted };

/** Content of the model that a run starts from, and of the one that its penalties compare with. */
struct ModelHashes {
  std::string base;
  std::string reference;
};

/** A run in its folder. Construction takes the lock, loads the checkpoint, if any, checks the recipe against the one of
 *  that checkpoint, and writes down what changed: in every further checkpoint and in RUN/changes.jsonl. Of several
 *  ranks, which share the folder, the first does so and writes metrics and manifests; every rank reads the checkpoint
 *  and writes the part of it that it owns. */
class Session {
 public:
  /** `ranks` must outlive the session. Throws Error(config) for a change that a run cannot take (base/config/config.h,
   * Change), Error(model) for another base model, and what prepare_run_folder() and load_latest() throw. */
  Session(const RunConfig& run, const RunRecipe& recipe, const ModelHashes& models,
          ProcessGroup& ranks = single_process());

  /** Step to continue from; 0 for a new run. */
  int64_t first_step() const;
  /** Whether there is a checkpoint, its own or that of run.from. A run that failed in its first step has one of step 0.
   */
  bool continues() const { return loaded_.has_value(); }
  /** Whether the checkpoint is that of run.from. The run then saves one of its own before anything else, and from there
   * on needs the other no more. */
  bool forks() const { return forks_; }
  /** Puts the checkpoint's weights and moments in place and lets go of them; nothing for a new run. `weights`: the
   * optimizer's masters, and whatever else was saved. */
  void restore(AdamW& optimizer, const std::vector<NamedTensor>& weights);
  /** Counters of the checkpoint, empty for a new run. */
  std::map<std::string, int64_t> counters() const;
  /** What was known of the row of first_step() when the checkpoint was saved, if an evaluation was to follow and did
   * not end. The same on every rank. */
  const std::optional<MetricRow>& unfinished_row() const { return unfinished_row_; }

  /** Whether this process writes what the run leaves: the only one, or the first of several. */
  bool writes() const { return ranks_.rank() == 0; }
  /** Only where writes(). */
  Metrics& metrics() { return *metrics_; }

  /** Saves weights and moments as the state after `step` steps. `weights`: what this rank owns. `row`: of that step, if
   * an evaluation that belongs to it is still to come. All ranks call it. */
  void save(int64_t step, const AdamW& optimizer, const std::vector<NamedTensor>& weights,
            const std::map<std::string, int64_t>& counters, const std::optional<MetricRow>& row = std::nullopt);
  /** For the handler of what a step threw, on all ranks: calls `save`, so that a mended cause costs nothing, and says
   * so. Throws nothing: the failure of the step is the one to be told. */
  void save_after(const std::exception& failure, int64_t step, const std::function<void()>& save) const;
  /** Whether run.checkpoint_every asks for a checkpoint after `step` steps. */
  bool due(int64_t step) const { return run_.checkpoint_every > 0 && step % run_.checkpoint_every == 0; }

  const std::filesystem::path& folder() const { return folder_; }

 private:
  void load(bool has_checkpoint);
  void check_models() const;
  void take_recipe(const RunRecipe& recipe);
  void begin_anew(const RunRecipe& recipe);
  std::vector<RecipeChange> changes_of(const RunRecipe& recipe) const;
  void record(const std::vector<RecipeChange>& changes);

  RunConfig run_;
  std::filesystem::path folder_;
  ModelHashes models_;
  ProcessGroup& ranks_;
  StopSignals signals_;
  std::unique_ptr<RunLock> lock_;
  std::optional<LoadedCheckpoint> loaded_;
  bool forks_ = false;
  nlohmann::json history_ = nlohmann::json::object();  // recipe, files, changes: TrainState::extra
  std::optional<MetricRow> unfinished_row_;
  std::unique_ptr<Metrics> metrics_;
};

/** Hash of everything in a model folder that a run depends on: config, tokenizer and weight files. Of several ranks,
 * the first one of each machine reads them; Error(peer) if two machines have different files. */
std::string hash_model_folder(const std::filesystem::path& folder, ProcessGroup& ranks = single_process());

/** Of a run whose penalties, if any, compare with the model that it starts from. */
ModelHashes model_hashes(const std::filesystem::path& model, ProcessGroup& ranks = single_process());

/** The model folder on run.device in run.dtype. Before it loads, the devices of several ranks are connected with each
 *  other. `trained`: what will be, for which memory must be left beside the weights. Throws Error(config), Error(model)
 *  and Error(memory), of which other ranks hear nothing. */
ModelFolder load_run_model(const std::filesystem::path& folder, const RunConfig& run,
                           ProcessGroup& ranks = single_process(),
                           const std::optional<PolicyOptions>& trained = std::nullopt);

}  // namespace diptych
