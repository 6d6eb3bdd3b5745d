#include "diptych/train/session.h"

#include <algorithm>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/model/weight_files.h"
#include "diptych/tensor/device.h"
#include "diptych/text/tokenizer_files.h"
#include "diptych/train/ranks.h"
#include "diptych/train/threads.h"

namespace diptych {

namespace {

std::string hash_of_files(const std::filesystem::path& folder) {
  std::vector<std::string> names = {"config.json",   "llm_config.json", "vit_config.json",       "vocab.json",
                                    "merges.txt",    "tokenizer.json",  "tokenizer_config.json", "ema.safetensors",
                                    "ae.safetensors"};
  std::vector<std::filesystem::path> others = weight_files(folder);
  for (const std::filesystem::path& file : older_token_files(folder)) others.push_back(file);
  for (const std::filesystem::path& file : others)
    if (std::find(names.begin(), names.end(), file.filename()) == names.end()) names.push_back(file.filename());
  std::string hashes;
  for (const std::string& name : names)
    if (std::filesystem::exists(folder / name)) hashes += cat(name, " ", hash_file(folder / name), "\n");
  return hash_bytes(hashes);
}

}  // namespace

std::string hash_model_folder(const std::filesystem::path& folder, ProcessGroup& ranks) {
  std::string own;
  together(ranks, "the model's files", [&] {
    if (ranks.local_rank() == 0) own = hash_of_files(folder);
  });
  std::string agreed;
  const std::vector<std::string> all = ranks.gather_strings(own, "hash of the model's files");
  for (size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    if (agreed.empty()) agreed = all[rank];
    if (all[rank] != agreed)
      throw Error(ExitCode::peer,
                  {folder.string(), "the same model on all machines", cat("another one on that of rank ", rank),
                   "the ranks must read one folder, or equal copies of it"});
  }
  return agreed;
}

std::vector<std::string> always_free_keys() {
  return {"run.dir",     "run.device",           "run.peer_deadline",   "run.resume",
          "run.threads", "run.checkpoint_every", "run.keep_checkpoints"};
}

ModelFolder load_run_model(const std::filesystem::path& folder, const RunConfig& run, ProcessGroup& ranks,
                           const std::optional<PolicyOptions>& trained) {
  // A GPU that two ranks have is found here, or else their weights might not fit into it.
  const at::Device device = open_device(run.device, ranks.local_rank(), "run.device");
  ranks.connect(device);
  const at::ScalarType dtype = compute_dtype(run.dtype);
  const auto kept_beside = [&](const ModelConfig& config) {
    return trained ? kept_bytes(config, dtype, *trained, ranks.world()) : 0;
  };
  return load_model_folder(folder, dtype, device, kept_beside);
}

Session::Session(const RunConfig& run, const std::string& recipe, const std::string& base_hash,
                 const std::vector<std::string>& free_keys, ProcessGroup& ranks)
    : run_(run), folder_(run.dir), base_hash_(base_hash), ranks_(ranks) {
  ranks_.check_same("recipe and base model", hash_number(recipe + base_hash));
  use_threads(run.threads, ranks_);
  bool continues = false;
  together(ranks_, "the run folder", [&] {
    if (!writes()) return;
    lock_ = std::make_unique<RunLock>(folder_);
    continues = prepare_run_folder(folder_, parse_resume(run.resume), recipe, free_keys);
  });
  if (any_rank(ranks_, continues, "whether there is a checkpoint"))
    together(ranks_, "the checkpoint", [&] { loaded_ = load_latest(folder_); });
  ranks_.check_same("the checkpoint's step", static_cast<uint64_t>(first_step()));
  if (loaded_) {
    TrainState current;
    current.base_hash = base_hash_;
    current.reference_hash = base_hash_;
    current.environment = current_environment();
    check_resumable(loaded_->state, current);
    if (writes()) remove_old_checkpoints(folder_, loaded_->state.step, static_cast<int>(run.keep_checkpoints));
  }
  if (writes() && loaded_) log_info(cat("continuing from the checkpoint of step ", first_step()));
  if (writes()) metrics_ = std::make_unique<Metrics>(folder_, loaded_ ? loaded_->state.step : -1);
}

int64_t Session::first_step() const {
  return loaded_ ? loaded_->state.step : 0;
}

void Session::restore(AdamW& optimizer, const std::vector<NamedTensor>& weights) {
  if (!loaded_) return;
  place_weights(*loaded_, weights);
  optimizer.load_optimizer_state(loaded_->optimizer);
  optimizer.round_masters();
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
  save_checkpoint(folder_, state, weights, optimizer.optimizer_state(), static_cast<int>(run_.keep_checkpoints),
                  ranks_);
}

}  // namespace diptych
