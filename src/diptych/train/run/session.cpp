#include "diptych/train/run/session.h"

#include <algorithm>
#include <limits>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/model/folder/weight_files.h"
#include "diptych/tensor/device.h"
#include "diptych/text/tokenizer_files.h"
#include "diptych/train/run/ranks.h"
#include "diptych/train/run/threads.h"

namespace diptych {

namespace {

constexpr const char* kChangesFile = "changes.jsonl";
constexpr const char* kRow = "row";  // of TrainState::extra

/** Without what depends on the clock: equal runs have equal checkpoints. */
nlohmann::json json_of(int64_t step, const MetricRow& row) {
  nlohmann::json values = {{"step", step}};
  for (const auto& [name, value] : row)
    if (!name.starts_with("time/")) values[name] = value;
  return values;
}

MetricRow row_of(const nlohmann::json& values) {
  MetricRow row;
  for (const auto& [name, value] : values.items())
    if (name != "step") row[name] = value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
  return row;
}

void refuse_changes(const std::filesystem::path& folder, std::vector<RecipeChange> changes, const std::string& hint) {
  std::erase_if(changes, [](const RecipeChange& change) { return !change.refused; });
  if (changes.empty()) return;
  throw Error(ExitCode::config, {folder.string(), "the recipe that this run was started with", change_text(changes),
                                 "undo these changes, or choose another run folder" + hint});
}

/** Weights under other names than BAGEL's, such as shards. */
std::vector<std::string> other_weights(const std::filesystem::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder))
    if (entry.path().extension() == ".safetensors" && entry.path().filename() != "ae.safetensors")
      names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

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
  if (!std::filesystem::exists(folder / "ema.safetensors"))
    for (const std::string& name : other_weights(folder)) hashes += cat(name, " ", hash_file(folder / name), "\n");
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

ModelHashes model_hashes(const std::filesystem::path& model, ProcessGroup& ranks) {
  const std::string base = hash_model_folder(model, ranks);
  return {.base = base, .reference = base};
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

Session::Session(const RunConfig& run, const RunRecipe& recipe, const ModelHashes& models, ProcessGroup& ranks)
    : run_(run), folder_(run.dir), models_(models), ranks_(ranks) {
  ranks_.check_same("recipe and models", hash_number(recipe.text + models.base + models.reference));
  use_threads(run.threads, ranks_);
  bool has_checkpoint = false;
  together(ranks_, "the run folder", [&] {
    if (!writes()) return;
    lock_ = std::make_unique<RunLock>(folder_);
    has_checkpoint = prepare_run_folder(folder_, parse_resume(run.resume));
    if (const std::optional<ConfigText> stored = stored_recipe(folder_)) check_kind(*stored, recipe.kind);
    if (!has_checkpoint && !run.from.empty()) check_kind(required_recipe(run.from), recipe.kind);
  });
  load(any_rank(ranks_, has_checkpoint, "whether there is a checkpoint"));
  ranks_.check_same("the checkpoint's step", static_cast<uint64_t>(first_step()));
  if (loaded_) check_models();
  together(ranks_, "the recipe of the run", [&] {
    if (!writes()) return;
    take_recipe(recipe);
    if (loaded_ && !forks_)
      remove_old_checkpoints(folder_, loaded_->state.step, static_cast<int>(run.keep_checkpoints));
  });
  if (writes() && loaded_)
    log_info(cat(forks_ ? "starting" : "continuing", " from the checkpoint of step ", first_step(),
                 forks_ ? cat(" of ", run.from) : ""));
  if (writes()) metrics_ = std::make_unique<Metrics>(folder_, loaded_ ? loaded_->state.step : -1);
  const bool lacks_row = writes() && metrics_->last_step() < first_step();
  if (loaded_ && !forks_ && loaded_->state.extra.contains(kRow) &&
      any_rank(ranks_, lacks_row, "whether the row of the checkpoint is written"))
    unfinished_row_ = row_of(loaded_->state.extra.at(kRow));
}

void Session::load(bool has_checkpoint) {
  forks_ = !has_checkpoint && !run_.from.empty();
  if (!has_checkpoint && !forks_) return;
  together(ranks_, "the checkpoint", [&] {
    loaded_ = load_latest(forks_ ? std::filesystem::path(run_.from) : folder_);
    if (!loaded_)
      throw Error(ExitCode::model, {cat("run.from = ", run_.from), "a run folder with a checkpoint", "none there",
                                    "run.checkpoint_every says how often a run saves one"});
  });
}

void Session::check_models() const {
  TrainState current;
  current.base_hash = models_.base;
  // A fork may compare with another model from here on.
  current.reference_hash = forks_ ? loaded_->state.reference_hash : models_.reference;
  current.environment = current_environment();
  check_resumable(loaded_->state, current);
}

void Session::take_recipe(const RunRecipe& recipe) {
  if (!loaded_ || forks_) begin_anew(recipe);
  if (loaded_) {
    history_ = loaded_->state.extra;
    if (forks_) history_.erase(kRow);
    record(changes_of(recipe));
  }
  history_["recipe"] = kept_values(recipe.keys);
  history_["files"] = named_files(recipe.keys);
  store_recipe(folder_, recipe.text);
}

/** Other runs than this one keep their rows, and rows of an earlier start of this one do not mix with its own. */
void Session::begin_anew(const RunRecipe& recipe) {
  if (left_behind(folder_).empty()) return;
  refuse_changes(folder_, recipe_changes(stored_keys(required_recipe(folder_), recipe), recipe.keys), "");
  log_warning(cat(folder_.string(),
                  " holds a run without a checkpoint: this one begins anew, and what was there is in ",
                  set_aside(folder_).string()));
}

/** Since the checkpoint, whose own recipe counts: a start that was killed before it saved may have written recipe.toml.
 */
std::vector<RecipeChange> Session::changes_of(const RunRecipe& recipe) const {
  const nlohmann::json& kept = loaded_->state.extra;
  const std::vector<ConfigKey> before =
      stored_keys(kept.contains("recipe") ? recipe_of(kept.at("recipe"), (loaded_->folder / "state.json").string())
                                          : required_recipe(forks_ ? std::filesystem::path(run_.from) : folder_),
                  recipe);
  std::vector<RecipeChange> changes = recipe_changes(before, recipe.keys);
  if (!forks_)
    refuse_changes(folder_, changes,
                   cat("; run.from=", folder_.string(), " starts there from the last checkpoint of this run"));
  const nlohmann::json files = kept.contains("files") ? kept.at("files") : named_files(before);
  for (RecipeChange& change : changed_files(files, named_files(recipe.keys))) changes.push_back(std::move(change));
  if (forks_) changes.push_back({.key = "run.from", .before = "", .after = run_.from});
  if (loaded_->state.reference_hash != models_.reference)
    changes.push_back({.key = "reference",
                       .before = "content " + loaded_->state.reference_hash,
                       .after = "content " + models_.reference});
  return changes;
}

void Session::record(const std::vector<RecipeChange>& changes) {
  for (const RecipeChange& change : changes)
    history_["changes"].push_back(
        {{"step", first_step()}, {"key", change.key}, {"before", change.before}, {"after", change.after}});
  if (!history_.contains("changes")) {
    std::filesystem::remove(folder_ / kChangesFile);  // of a start that was killed before it saved
    return;
  }
  std::string lines;
  for (const nlohmann::json& change : history_.at("changes"))
    lines += change.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
  write_file_atomic(folder_ / kChangesFile, lines);
  if (!changes.empty())
    log_warning(cat("from step ", first_step(), " on ", change_text(changes), "; ", kChangesFile, " records it"));
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
                   const std::map<std::string, int64_t>& counters, const std::optional<MetricRow>& row) {
  TrainState state;
  state.step = step;
  state.counters = counters;
  state.base_hash = models_.base;
  state.reference_hash = models_.reference;
  state.environment = current_environment();
  if (row) history_[kRow] = json_of(step, *row);
  // A step that fails is saved over the checkpoint of the step before, which had its row.
  if (history_.contains(kRow) && history_.at(kRow).at("step") != step) history_.erase(kRow);
  state.extra = history_;
  save_checkpoint(folder_, state, weights, optimizer.optimizer_state(), static_cast<int>(run_.keep_checkpoints),
                  ranks_);
}

void Session::save_after(const std::exception& failure, int64_t step, const std::function<void()>& save) const {
  // Of several ranks all end a step with an Error together (ranks.h), and by other exceptions each by itself.
  if (ranks_.world() > 1 && dynamic_cast<const Error*>(&failure) == nullptr) return;
  try {
    save();
    if (writes()) log_info(cat("the state behind step ", step, " is saved; the same command goes on from there"));
  } catch (const std::exception& error) {
    log_warning(cat("the state behind step ", step, " could not be saved: ", error.what()));
  }
}

}  // namespace diptych
