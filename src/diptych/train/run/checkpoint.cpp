#include "diptych/train/run/checkpoint.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "diptych/base/ascii.h"
#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"
#include "diptych/tensor/load.h"
#include "diptych/train/run/ranks.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr const char* kWeightsFile = "trainable.safetensors";
constexpr const char* kOptimizerFile = "optimizer.safetensors";
constexpr const char* kStateFile = "state.json";
constexpr const char* kManifestFile = "manifest.json";
constexpr const char* kLatestFile = "LATEST";
constexpr const char* kTemporaryPrefix = "tmp_";
constexpr const char* kReplacedPrefix = "old_";
constexpr const char* kStepPrefix = "step_";
constexpr int kFormatVersion = 1;

fs::path checkpoints_folder(const fs::path& run_folder) {
  return run_folder / "checkpoints";
}

std::string folder_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step_%06lld", static_cast<long long>(step));
  return name;
}

/** The step of a folder name such as step_000123. */
std::optional<int64_t> step_of(const std::string& name) {
  if (!name.starts_with(kStepPrefix)) return std::nullopt;
  const std::string digits = name.substr(std::string(kStepPrefix).size());
  const bool numeric = std::all_of(digits.begin(), digits.end(), is_ascii_digit);
  if (digits.size() < 6 || digits.size() > 18 || !numeric) return std::nullopt;
  return std::stoll(digits);
}

void rename_folder(const fs::path& from, const fs::path& to) {
  std::error_code failure;
  fs::rename(from, to, failure);
  if (failure) {
    throw Error(ExitCode::io, {.where = from.string(),
                               .expected = cat("to be renamed to ", to.filename().string()),
                               .got = failure.message(),
                               .hint = "check permissions and the disk"});
  }
}

/** Removes a folder so that a crash on the way leaves no folder with a final name. */
void remove_checkpoint(const fs::path& folder) {
  const fs::path doomed = folder.parent_path() / cat(kTemporaryPrefix, "removed_", folder.filename().string());
  std::error_code ignored;  // a folder that stays behind costs space only, and is tidied later
  fs::remove_all(doomed, ignored);
  rename_folder(folder, doomed);
  fs::remove_all(doomed, ignored);
}

json to_json(const TrainState& state) {
  return {{"format_version", kFormatVersion},
          {"step", state.step},
          {"counters", state.counters},
          {"base_hash", state.base_hash},
          {"reference_hash", state.reference_hash},
          {"threads", state.environment.threads},
          {"instruction_set", state.environment.instruction_set},
          {"torch_version", state.environment.torch_version},
          {"extra", state.extra}};
}

/** An integer under a key; throws json::exception for anything else, where the library would cut a fraction off. */
int64_t integer_at(const json& object, const char* key) {
  return object.at(key).get_ref<const int64_t&>();
}

TrainState state_from_json(const json& stored) {
  std::map<std::string, int64_t> counters;
  for (const auto& [name, count] : stored.at("counters").items()) counters[name] = count.get_ref<const int64_t&>();
  return {.step = integer_at(stored, "step"),
          .counters = std::move(counters),
          .base_hash = stored.at("base_hash"),
          .reference_hash = stored.at("reference_hash"),
          .environment = {.threads = static_cast<int>(integer_at(stored, "threads")),
                          .instruction_set = stored.at("instruction_set"),
                          .torch_version = stored.at("torch_version")},
          .extra = stored.at("extra")};
}

TrainState read_state(const fs::path& file) {
  JsonFault fault;
  const std::optional<json> stored = parse_json(read_file(file), &fault);
  try {
    if (stored) return state_from_json(*stored);
  } catch (const json::exception& error) {
    fault.message = error.what();
  }
  throw Error(ExitCode::model, {.where = file.string(),
                                .expected = "the state of a run",
                                .got = fault.message,
                                .hint = "it was written by another version of diptych"});
}

/** `name` in one process, else the rank's part of it, as load_tensors() finds it. */
std::string part_name(const char* name, const ProcessGroup& ranks) {
  if (ranks.world() == 1) return name;
  return cat(fs::path(name).stem().string(), ".", ranks.rank(), fs::path(name).extension().string());
}

json manifest_entry(const fs::path& file) {
  return {{"bytes", fs::file_size(file)}, {"xxh3", hash_file(file)}};
}

/** Writes this rank's parts, and returns their manifest entries. */
json write_parts(const fs::path& folder, const std::vector<NamedTensor>& weights,
                 const std::vector<NamedTensor>& optimizer, const ProcessGroup& ranks) {
  json entries = json::object();
  for (const auto& [file, tensors] : {std::pair(kWeightsFile, &weights), std::pair(kOptimizerFile, &optimizer)}) {
    const std::string name = part_name(file, ranks);
    save_tensors(folder / name, *tensors);
    entries[name] = manifest_entry(folder / name);
  }
  return entries;
}

void write_manifest(const fs::path& folder, int64_t step, const json& files) {
  const json manifest = {{"format_version", kFormatVersion}, {"step", step}, {"files", files}};
  write_file_atomic(folder / kManifestFile, manifest.dump(2) + "\n");
}

/** Damage of one file against its manifest entry, empty if none. */
std::string file_damage(const fs::path& file, const json& entry) {
  const std::string name = file.filename().string();
  std::error_code failure;
  const uintmax_t bytes = fs::file_size(file, failure);
  if (failure) return cat(name, " is missing");
  if (bytes != static_cast<uintmax_t>(integer_at(entry, "bytes"))) {
    return cat(name, " has ", bytes, " bytes, not ", entry.at("bytes").dump());
  }
  if (hash_file(file) != entry.at("xxh3").get<std::string>()) return cat(name, " does not match its hash");
  return "";
}

/** Whether a manifest lists the file or parts of it. */
bool lists_part(const json& files, const std::string& name) {
  const std::string stem = fs::path(name).stem().string() + ".";
  return std::any_of(files.items().begin(), files.items().end(),
                     [&](const auto& file) { return file.key().starts_with(stem); });
}

/** The step that LATEST names, if a folder of that step exists. */
std::optional<int64_t> latest_step(const fs::path& run_folder) {
  const fs::path pointer = checkpoints_folder(run_folder) / kLatestFile;
  if (!fs::exists(pointer)) return std::nullopt;
  std::string name = read_file(pointer);
  name.erase(name.find_last_not_of(" \t\r\n") + 1);
  const std::optional<int64_t> step = step_of(name);
  if (!step || !list_checkpoints(run_folder).contains(*step)) return std::nullopt;
  return step;
}

/** In the order in which load_latest tries them. */
std::vector<fs::path> candidates(const fs::path& run_folder) {
  const std::map<int64_t, fs::path> by_step = list_checkpoints(run_folder);
  std::vector<std::pair<int64_t, fs::path>> newest_first(by_step.rbegin(), by_step.rend());
  if (const std::optional<int64_t> latest = latest_step(run_folder)) {
    std::stable_partition(newest_first.begin(), newest_first.end(),
                          [&](const auto& candidate) { return candidate.first <= *latest; });
  }
  std::vector<fs::path> folders;
  for (const auto& [step, folder] : newest_first) folders.push_back(folder);
  return folders;
}

/** Steps 2 to 6 of the header's list. */
void put_in_place(const fs::path& temporary, const fs::path& folder) {
  const fs::path parent = folder.parent_path();
  const fs::path replaced = parent / (kReplacedPrefix + folder.filename().string());
  sync_folder(temporary);
  if (fs::exists(folder)) rename_folder(folder, replaced);
  rename_folder(temporary, folder);
  sync_folder(parent);
  write_file_atomic(parent / kLatestFile, folder.filename().string() + "\n");
  if (fs::exists(replaced)) remove_checkpoint(replaced);
}

}  // namespace

fs::path save_checkpoint(const fs::path& run_folder, const TrainState& state, const std::vector<NamedTensor>& weights,
                         const std::vector<NamedTensor>& optimizer, int keep_last, ProcessGroup& ranks) {
  TORCH_CHECK(keep_last >= 1, "keep_last must be at least 1");
  const bool first = ranks.rank() == 0;
  const fs::path parent = checkpoints_folder(run_folder);
  const std::string name = folder_name(state.step);
  const fs::path folder = parent / name;
  const fs::path temporary = parent / (kTemporaryPrefix + name);
  together(ranks, "a folder for the checkpoint", [&] {
    if (!first) return;
    fs::remove_all(temporary);
    make_folder(temporary);
  });
  json files;
  together(ranks, "the checkpoint's parts", [&] { files = write_parts(temporary, weights, optimizer, ranks); });
  for (const std::string& part : ranks.gather_strings(files.dump(), "the checkpoint's manifest"))
    files.update(json::parse(part));
  together(ranks, "the checkpoint", [&] {
    if (!first) return;
    write_file_atomic(temporary / kStateFile,
                      to_json(state).dump(2, ' ', false, json::error_handler_t::replace) + "\n");
    files[kStateFile] = manifest_entry(temporary / kStateFile);
    write_manifest(temporary, state.step, files);
    put_in_place(temporary, folder);
    remove_old_checkpoints(run_folder, state.step, keep_last);
  });
  return folder;
}

void remove_old_checkpoints(const fs::path& run_folder, int64_t newest_step, int keep_last) {
  std::map<int64_t, fs::path> by_step = list_checkpoints(run_folder);
  by_step.erase(by_step.upper_bound(newest_step), by_step.end());
  while (std::ssize(by_step) > keep_last) {
    remove_checkpoint(by_step.begin()->second);
    by_step.erase(by_step.begin());
  }
}

std::optional<LoadedCheckpoint> load_latest(const fs::path& run_folder) {
  std::vector<std::string> damages;
  for (const fs::path& folder : candidates(run_folder)) {
    const std::string damage = checkpoint_damage(folder);
    if (damage.empty()) {
      return LoadedCheckpoint{.folder = folder,
                              .state = read_state(folder / kStateFile),
                              .weights = map_tensors(folder / kWeightsFile),
                              .optimizer = map_tensors(folder / kOptimizerFile)};
    }
    log_warning(cat("checkpoint ", folder.string(), " is damaged (", damage, "), trying another one"));
    damages.push_back(cat(folder.filename().string(), ": ", damage));
  }
  if (damages.empty()) return std::nullopt;
  throw Error(ExitCode::model, {.where = checkpoints_folder(run_folder).string(),
                                .expected = "at least one whole checkpoint",
                                .got = join(damages, "; "),
                                .hint = "restore a checkpoint from a backup, or start in a new run folder"});
}

void tidy_checkpoints(const fs::path& run_folder) {
  const fs::path parent = checkpoints_folder(run_folder);
  if (!fs::exists(parent)) return;
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(parent)) {
    names.push_back(entry.path().filename().string());
  }
  for (const std::string& name : names) {
    const bool half_written_latest = name.starts_with(cat(kLatestFile, ".tmp"));
    if (name.starts_with(kTemporaryPrefix) || half_written_latest) fs::remove_all(parent / name);
    if (!name.starts_with(kReplacedPrefix)) continue;
    const fs::path final_name = parent / name.substr(std::string(kReplacedPrefix).size());
    if (fs::exists(final_name)) {
      remove_checkpoint(parent / name);
    } else {
      rename_folder(parent / name, final_name);
    }
  }
}

std::map<int64_t, fs::path> list_checkpoints(const fs::path& run_folder) {
  std::map<int64_t, fs::path> by_step;
  if (!fs::exists(checkpoints_folder(run_folder))) return by_step;
  for (const fs::directory_entry& entry : fs::directory_iterator(checkpoints_folder(run_folder))) {
    const std::optional<int64_t> step = step_of(entry.path().filename().string());
    if (step && entry.is_directory()) by_step[*step] = entry.path();
  }
  return by_step;
}

std::string checkpoint_damage(const fs::path& folder) {
  if (!fs::exists(folder / kManifestFile)) return cat(kManifestFile, " is missing");
  const std::optional<json> parsed = parse_json(read_file(folder / kManifestFile));
  if (!parsed) return cat(kManifestFile, " is not JSON");
  const json& manifest = *parsed;
  try {
    if (manifest.at("format_version") != kFormatVersion) {
      return cat(kManifestFile, " has format version ", manifest.at("format_version").dump(), ", not ", kFormatVersion);
    }
    if (folder_name(integer_at(manifest, "step")) != folder.filename()) {
      return cat(kManifestFile, " belongs to step ", manifest.at("step").dump());
    }
    const json& files = manifest.at("files");
    for (const char* content : {kWeightsFile, kOptimizerFile, kStateFile})
      if (!lists_part(files, content)) return cat(kManifestFile, " does not list ", content);
    for (const auto& [name, entry] : files.items()) {
      if (fs::path(name).filename() != name) return cat(kManifestFile, " lists the path ", name);
      const std::string damage = file_damage(folder / name, entry);
      if (!damage.empty()) return damage;
    }
  } catch (const json::exception& error) {
    return cat(kManifestFile, " is not a manifest: ", error.what());
  }
  return "";
}

void place_weights(const LoadedCheckpoint& loaded, const std::vector<NamedTensor>& weights) {
  at::NoGradGuard no_grad;
  for (const NamedTensor& weight : weights) {
    const auto found = loaded.weights.find(weight.name);
    if (found == loaded.weights.end() || found->second.sizes() != weight.tensor.sizes())
      throw Error(ExitCode::model, {loaded.folder.string(), cat("weights of ", weight.name),
                                    found == loaded.weights.end() ? "none" : "another shape",
                                    "the checkpoint belongs to another model or choice of trained weights"});
    Tensor(weight.tensor).copy_(found->second);
  }
}

void check_resumable(const TrainState& saved, const TrainState& current) {
  const auto require_equal = [](const char* what, const std::string& before, const std::string& now) {
    if (before == now) return;
    throw Error(ExitCode::model, {.where = cat("resume, ", what),
                                  .expected = cat("the one of the checkpoint, hash ", before.empty() ? "none" : before),
                                  .got = cat("hash ", now.empty() ? "none" : now),
                                  .hint = "continue with the same model files, or start in a new run folder"});
  };
  require_equal("base model", saved.base_hash, current.base_hash);
  require_equal("reference policy", saved.reference_hash, current.reference_hash);
  const std::vector<std::string> changes = environment_changes(saved.environment, current.environment);
  if (!changes.empty()) {
    log_warning(cat("the continuation is not bit-identical to an uninterrupted run: ", join(changes, ", ")));
  }
}

}  // namespace diptych
