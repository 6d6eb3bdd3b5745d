#include "diptych/train/run/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/text_format.h"
#include "diptych/io/atomic_file.h"
#include "diptych/io/files.h"
#include "diptych/train/run/checkpoint.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLockFile = "lock";
constexpr const char* kRecipeFile = "recipe.toml";
constexpr const char* kEventsFolder = "tensorboard";
// What a report reads, and what is made of it. A judge's replies stay: they belong to their requests, not to a run.
constexpr std::array<std::string_view, 8> kResults = {"metrics.jsonl", "changes.jsonl",    "eval",  "rollouts",
                                                      "report.html",   "before_after.png", "model", "adapter"};

/** Now, as part of a name: 2026-12-01_12-30-05 (UTC). */
std::string time_name() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char name[32];
  std::strftime(name, sizeof name, "%Y-%m-%d_%H-%M-%S", &parts);
  return name;
}

/** True if nothing is there but the lock and what a crash in the very first write of the recipe leaves. */
bool is_unused(const fs::path& run_folder) {
  return std::all_of(fs::directory_iterator(run_folder), fs::directory_iterator(), [](const auto& entry) {
    const std::string name = entry.path().filename().string();
    return name == kLockFile || name.starts_with(cat(kRecipeFile, ".tmp"));
  });
}

[[noreturn]] void refuse(const fs::path& run_folder, const std::string& expected, const std::string& got,
                         const std::string& hint) {
  throw Error(ExitCode::config, {.where = run_folder.string(), .expected = expected, .got = got, .hint = hint});
}

}  // namespace

Resume parse_resume(const std::string& text) {
  if (text == "auto") return Resume::automatic;
  if (text == "never") return Resume::never;
  if (text == "must") return Resume::must;
  throw Error(ExitCode::config,
              {.where = "resume", .expected = "auto, never or must", .got = text, .hint = "auto suits most runs"});
}

RunLock::RunLock(const fs::path& run_folder) {
  make_folder(run_folder);
  const fs::path path = run_folder / kLockFile;
  file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (file_ < 0) {
    throw Error(ExitCode::io, {.where = path.string(),
                               .expected = "a file that can be written",
                               .got = std::strerror(errno),
                               .hint = "check permissions of the run folder"});
  }
  if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
    const int failure = errno;
    // Some network file systems know no locks: the run is worth more than the guard against a second one.
    if (failure == ENOSYS || failure == ENOLCK || failure == EOPNOTSUPP || failure == EINVAL) {
      log_warning(cat(run_folder.string(), ": this file system has no locks (", std::strerror(failure),
                      "), so nothing keeps a second process out of the run folder"));
    } else {
      close(file_);
      const bool held = failure == EWOULDBLOCK;
      std::string holder = held ? read_file(path) : std::strerror(failure);
      holder.erase(holder.find_last_not_of('\n') + 1);
      throw Error(ExitCode::io, {.where = run_folder.string(),
                                 .expected = "a run folder that no other process uses",
                                 .got = held ? cat("in use by process ", holder) : holder,
                                 .hint = held ? "wait for it, stop it, or choose another run folder"
                                              : "put the run folder on another file system"});
    }
  }
  const std::string pid = cat(getpid(), "\n");
  if (ftruncate(file_, 0) != 0 || !write_all(file_, pid.data(), pid.size())) {
    const std::string reason = std::strerror(errno);
    close(file_);
    throw Error(ExitCode::io, {.where = path.string(),
                               .expected = "a file that can be written",
                               .got = reason,
                               .hint = "check the free space of the disk"});
  }
}

RunLock::~RunLock() {
  close(file_);
}

bool prepare_run_folder(const fs::path& run_folder, Resume resume) {
  make_folder(run_folder);
  const bool empty = is_unused(run_folder);
  if (resume == Resume::never && !empty) {
    refuse(run_folder, "an empty folder, since resume = never", "a folder with files",
           "choose another run folder, or set resume = auto to continue this run");
  }
  if (!empty && !fs::exists(run_folder / kRecipeFile)) {
    refuse(run_folder, "a new folder or one of an earlier run", cat("files, but no ", kRecipeFile),
           "choose another run folder");
  }
  remove_unfinished_files(run_folder);
  tidy_checkpoints(run_folder);
  const bool continues = !list_checkpoints(run_folder).empty();
  if (resume == Resume::must && !continues) {
    refuse(run_folder, "a checkpoint, since resume = must", "none", "check the folder, or set resume = auto");
  }
  return continues;
}

std::optional<ConfigText> stored_recipe(const fs::path& run_folder) {
  const fs::path file = run_folder / kRecipeFile;
  if (!fs::exists(file)) return std::nullopt;
  return ConfigText{.text = read_file(file), .name = file.string()};
}

ConfigText required_recipe(const fs::path& run_folder) {
  std::optional<ConfigText> recipe = stored_recipe(run_folder);
  if (!recipe) refuse(run_folder, "the folder of a run", cat("no ", kRecipeFile, " there"), "");
  return *recipe;
}

void store_recipe(const fs::path& run_folder, const std::string& recipe) {
  write_file_atomic(run_folder / kRecipeFile, recipe);
}

std::vector<std::string> left_behind(const fs::path& run_folder) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(run_folder)) {
    const std::string name = entry.path().filename().string();
    const bool of_a_run =
        std::find(kResults.begin(), kResults.end(), name) != kResults.end() || name.starts_with("non_finite_step_");
    if (of_a_run && !fs::is_empty(entry.path())) names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

fs::path set_aside(const fs::path& run_folder) {
  const std::string name = cat("before_", time_name());
  fs::path before = run_folder / name;
  for (int count = 2; fs::exists(before); ++count) before = run_folder / cat(name, "_", count);
  make_folder(before);
  if (const std::optional<ConfigText> recipe = stored_recipe(run_folder)) store_recipe(before, recipe->text);
  for (const std::string& left : left_behind(run_folder)) fs::rename(run_folder / left, before / left);
  // Every start makes event files, so by themselves they are no reason to set anything aside.
  if (fs::exists(run_folder / kEventsFolder)) fs::rename(run_folder / kEventsFolder, before / kEventsFolder);
  sync_folder(run_folder);
  return before;
}

}  // namespace diptych
