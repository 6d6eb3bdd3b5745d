#include "diptych/train/session.h"

#include <ATen/Parallel.h>

#include <thread>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"

namespace diptych {

std::string hash_model_folder(const std::filesystem::path& folder) {
  std::string hashes;
  for (const char* name : {"config.json", "llm_config.json", "vit_config.json", "vocab.json", "merges.txt",
                           "tokenizer.json", "tokenizer_config.json", "ema.safetensors", "ae.safetensors"})
    if (std::filesystem::exists(folder / name)) hashes += cat(name, " ", hash_file(folder / name), "\n");
  return hash_bytes(hashes);
}

std::vector<std::string> always_free_keys() {
  return {"run.dir", "run.resume", "run.threads", "run.checkpoint_every", "run.keep_checkpoints"};
}

void use_threads(int64_t threads) {
  at::set_num_threads(threads > 0 ? static_cast<int>(threads) : static_cast<int>(std::thread::hardware_concurrency()));
}

Session::Session(const RunConfig& run, const std::string& recipe, const std::string& base_hash,
                 const std::vector<std::string>& free_keys)
    : run_(run), folder_(run.dir), base_hash_(base_hash), lock_(run.dir) {
  use_threads(run.threads);
  if (prepare_run_folder(folder_, parse_resume(run.resume), recipe, free_keys)) loaded_ = load_latest(folder_);
  if (loaded_) {
    TrainState current;
    current.base_hash = base_hash_;
    current.reference_hash = base_hash_;
    current.environment = current_environment();
    check_resumable(loaded_->state, current);
    remove_old_checkpoints(folder_, loaded_->state.step, static_cast<int>(run.keep_checkpoints));
  }
  metrics_ = std::make_unique<Metrics>(folder_, loaded_ ? loaded_->state.step : -1);
}

int64_t Session::first_step() const {
  return loaded_ ? loaded_->state.step : 0;
}

void Session::restore(AdamW& optimizer, const std::vector<NamedTensor>& weights) {
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
  loaded_->weights.clear();
  loaded_->optimizer.clear();
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
