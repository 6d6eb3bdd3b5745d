#pragma once
// What every training loop does around its steps: run folder, resume, metrics, checkpoints, a clean stop.

#include <functional>
#include <memory>

#include "diptych/base/config.h"
#include "diptych/base/progress.h"
#include "diptych/model/folder.h"
#include "diptych/train/checkpoint.h"
#include "diptych/train/metrics.h"
#include "diptych/train/optimizer_config.h"
#include "diptych/train/run_folder.h"
#include "diptych/train/stop.h"
#include "diptych/train/trained_policy.h"

namespace diptych {

struct RunConfig {
  std::string dir = "runs/latest";
  int64_t seed = 0;
  std::string resume = "auto";
  int64_t threads = 0;
  std::string device = "cpu";
  std::string dtype = "float32";
  int64_t checkpoint_every = 0;
  int64_t keep_checkpoints = 2;
  int64_t peer_deadline = 1800;
};

template <class Fields>
void visit(Fields& fields, RunConfig& run) {
  fields("dir", run.dir, "folder of the run: recipe, metrics, checkpoints, results");
  fields.range("seed", run.seed, 0, INT64_MAX, "seed of every draw");
  fields.choice("resume", run.resume, {"auto", "never", "must"}, "auto continues a run that has a checkpoint");
  fields.range("threads", run.threads, 0, 1024,
               "CPU threads of each process; 0 deals the cores that they may use over those of the machine");
  fields("device", run.device,
         "cpu; cuda: the GPU with the number of this process on its machine, 0 if it is alone; cuda:1: that one");
  fields.choice("dtype", run.dtype, {"float32", "bfloat16"},
                "of the model's weights and activations; master weights, log-probabilities, latents, losses and Adam "
                "are float32 always");
  fields.range("checkpoint_every", run.checkpoint_every, 0, INT64_MAX, "steps between checkpoints; 0: only at the end");
  fields.range("keep_checkpoints", run.keep_checkpoints, 1, 1000, "checkpoints that stay on disk");
  fields.range("peer_deadline", run.peer_deadline, 1, 1000000,
               "seconds that the processes of a run wait for each other before they end and say for whom");
}

/** Why a loop ended. */
enum class EndReason { finished, interrupted };

/** A run in its folder. Construction takes the lock, checks the recipe and loads the checkpoint, if any. Of several
 *  ranks, which share the folder, the first does so and writes metrics and manifests; every rank reads the checkpoint
 *  and writes the part of it that it owns. */
class Session {
 public:
  /** `recipe`: the resolved recipe text. `base_hash`: of the weights the run starts from. Keys in `free_keys` may
   * differ from the interrupted run's. `ranks` must outlive the session. */
  Session(const RunConfig& run, const std::string& recipe, const std::string& base_hash,
          const std::vector<std::string>& free_keys, ProcessGroup& ranks = single_process());

  /** Step to continue from; 0 for a new run. */
  int64_t first_step() const;
  /** Whether there is a checkpoint. A run that failed in its first step has one of step 0. */
  bool continues() const { return loaded_.has_value(); }
  /** Puts the checkpoint's weights and moments in place and lets go of them; nothing for a new run. `weights`: the
   * optimizer's masters, and whatever else was saved. */
  void restore(AdamW& optimizer, const std::vector<NamedTensor>& weights);
  /** Counters of the checkpoint, empty for a new run. */
  std::map<std::string, int64_t> counters() const;

  /** Whether this process writes what the run leaves: the only one, or the first of several. */
  bool writes() const { return ranks_.rank() == 0; }
  /** Only where writes(). */
  Metrics& metrics() { return *metrics_; }

  /** Saves weights and moments as the state after `step` steps. `weights`: what this rank owns. All ranks call it. */
  void save(int64_t step, const AdamW& optimizer, const std::vector<NamedTensor>& weights,
            const std::map<std::string, int64_t>& counters);
  /** Whether run.checkpoint_every asks for a checkpoint after `step` steps. */
  bool due(int64_t step) const { return run_.checkpoint_every > 0 && step % run_.checkpoint_every == 0; }

  const std::filesystem::path& folder() const { return folder_; }

 private:
  RunConfig run_;
  std::filesystem::path folder_;
  std::string base_hash_;
  ProcessGroup& ranks_;
  StopSignals signals_;
  std::unique_ptr<RunLock> lock_;
  std::optional<LoadedCheckpoint> loaded_;
  std::unique_ptr<Metrics> metrics_;
};

/** Hash of everything in a model folder that a run depends on: config, tokenizer and weight files. Of several ranks,
 * the first one of each machine reads them; Error(peer) if two machines have different files. */
std::string hash_model_folder(const std::filesystem::path& folder, ProcessGroup& ranks = single_process());

/** Recipe keys that may change in a continuation of any run: they leave the steps already done as they are. */
std::vector<std::string> always_free_keys();

/** The model folder on run.device in run.dtype. Before it loads, the devices of several ranks are connected with each
 *  other. `trained`: what will be, for which memory must be left beside the weights. Throws Error(config), Error(model)
 *  and Error(memory), of which other ranks hear nothing. */
ModelFolder load_run_model(const std::filesystem::path& folder, const RunConfig& run,
                           ProcessGroup& ranks = single_process(),
                           const std::optional<PolicyOptions>& trained = std::nullopt);

}  // namespace diptych
