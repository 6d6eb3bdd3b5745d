#include "diptych/train/session.h"

#include <ATen/Parallel.h>

#include <thread>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

void use_threads(int64_t threads) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : static_cast<int>(std::thread::hardware_concurrency()));
}

Session::Session(const RunConfig& run, const std::string& recipe, const std::string& base_hash,
                 const std::vector<std::string>& free_keys)
    : run_(run), folder_(run.dir), base_hash_(base_hash), lock_(run.dir) {
  use_threads(run.threads);
  tidy_checkpoints(folder_);
  if (prepare_run_folder(folder_, parse_resume(run.resume), recipe, free_keys)) loaded_ = load_latest(folder_);
  if (loaded_) {
    TrainState current;
    current.base_hash = base_hash_;
    current.reference_hash = base_hash_;
    current.environment = current_environment();
    check_resumable(loaded_->state, current);
  }
  metrics_ = std::make_unique<Metrics>(folder_, loaded_ ? loaded_->state.step : -1);
}

int64_t Session::first_step() const {
  return loaded_ ? loaded_->state.step : 0;
}

void Session::restore(AdamW& optimizer, const std::vector<NamedTensor>& weights) const {
  if (!loaded_) return;
  at::NoGradGuard no_grad;
  for (const NamedTensor& weight : weights) {
    const auto found = loaded_->weights.find(weight.name);
    if (found == loaded_->weights.end() || found->second.sizes() != weight.tensor.sizes())
      throw Error(ExitCode::model, {loaded_->folder.string(), cat("weights of ", weight.name),
                                    found == loaded_->weights.end() ? "none" : "another shape",
                                    "the checkpoint belongs to another model or choice of trained weights"});
    Tensor(weight.tensor).copy_(found->second);
  }
  optimizer.load_optimizer_state(loaded_->optimizer);
}

std::map<std::string, int64_t> Session::counters() const {
  return loaded_ ? loaded_->state.counters : std::map<std::string, int64_t>();
}

void Session::save(int64_t step, const AdamW& optimizer, const std::vector<NamedTensor>& weights,
                   const std::map<std::string, int64_t>& counters) {
  TrainState state;
  state.step = step;
  state.counters = counters;
  state.base_hash = base_hash_;
  state.reference_hash = base_hash_;
  state.environment = current_environment();
  save_checkpoint(folder_, state, weights, optimizer.optimizer_state(), static_cast<int>(run_.keep_checkpoints));
}

void Session::save_if_due(int64_t step, const AdamW& optimizer, const std::vector<NamedTensor>& weights,
                          const std::map<std::string, int64_t>& counters) {
  if (run_.checkpoint_every > 0 && step % run_.checkpoint_every == 0) save(step, optimizer, weights, counters);
}

}  // namespace diptych
