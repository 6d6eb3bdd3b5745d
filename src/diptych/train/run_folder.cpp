#include "diptych/train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "diptych/base/error.h"
#include "diptych/base/log.h"
#include "diptych/base/parse_toml.h"
#include "diptych/base/text_format.h"
#include "diptych/io/atomic_file.h"
#include "diptych/io/files.h"
#include "diptych/train/checkpoint.h"

namespace diptych {

namespace fs = std::filesystem;

namespace {

constexpr const char* kLockFile = "lock";
constexpr const char* kRecipeFile = "recipe.toml";

std::string value_text(const toml::node& node) {
  // toml++ prints 0.1 with 17 digits, JSON the shortest text that reads back.
  if (const auto* number = node.as_floating_point()) return nlohmann::json(number->get()).dump();
  if (const toml::array* array = node.as_array()) {
    std::vector<std::string> items;
    for (const toml::node& item : *array) items.push_back(value_text(item));
    return cat("[", join(items, ", "), "]");
  }
  std::ostringstream text;
  text << toml::default_formatter(node);
  return text.str();
}

void flatten(const toml::table& table, const std::string& prefix, std::map<std::string, std::string>& values) {
  for (const auto& [key, node] : table) {
    const std::string name = cat(prefix, key.str());
    if (const toml::table* section = node.as_table()) {
      flatten(*section, name + ".", values);
    } else {
      values[name] = value_text(node);
    }
  }
}

std::map<std::string, std::string> recipe_values(const std::string& recipe) {
  std::map<std::string, std::string> values;
  TomlFault fault;
  const std::shared_ptr<const toml::table> table = parse_toml(recipe, kRecipeFile, fault);
  if (!table) {
    throw Error(ExitCode::config, {.where = cat(kRecipeFile, " line ", fault.line),
                                   .expected = "TOML",
                                   .got = fault.message,
                                   .hint = "restore the file, or start in a new run folder"});
  }
  flatten(*table, "", values);
  return values;
}

bool is_free(const std::string& key, const std::vector<std::string>& free_keys) {
  return std::any_of(free_keys.begin(), free_keys.end(), [&](const std::string& pattern) {
    return pattern.ends_with(".*") ? key.starts_with(pattern.substr(0, pattern.size() - 1)) : key == pattern;
  });
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

bool prepare_run_folder(const fs::path& run_folder, Resume resume, const std::string& recipe,
                        const std::vector<std::string>& free_keys) {
  make_folder(run_folder);
  const fs::path stored_recipe = run_folder / kRecipeFile;
  const bool empty = is_unused(run_folder);
  if (resume == Resume::never && !empty) {
    refuse(run_folder, "an empty folder, since resume = never", "a folder with files",
           "choose another run folder, or set resume = auto to continue this run");
  }
  if (!empty && !fs::exists(stored_recipe)) {
    refuse(run_folder, "a new folder or one of an earlier run", cat("files, but no ", kRecipeFile),
           "choose another run folder");
  }
  remove_unfinished_files(run_folder);
  tidy_checkpoints(run_folder);
  const bool continues = !list_checkpoints(run_folder).empty();
  if (resume == Resume::must && !continues) {
    refuse(run_folder, "a checkpoint, since resume = must", "none", "check the folder, or set resume = auto");
  }
  if (!continues && fs::exists(run_folder / "metrics.jsonl") && fs::file_size(run_folder / "metrics.jsonl") > 0)
    log_warning(cat(run_folder.string(), " has metrics but no checkpoint: the run begins anew and replaces them"));
  if (continues) {
    const std::vector<std::string> changes = recipe_changes(read_file(stored_recipe), recipe, free_keys);
    if (!changes.empty()) {
      refuse(run_folder, "the recipe that this run was started with", join(changes, "; "),
             "undo these changes, or choose another run folder");
    }
  }
  write_file_atomic(stored_recipe, recipe);
  return continues;
}

std::vector<std::string> recipe_changes(const std::string& before, const std::string& after,
                                        const std::vector<std::string>& free_keys) {
  const std::map<std::string, std::string> old_values = recipe_values(before);
  const std::map<std::string, std::string> new_values = recipe_values(after);
  std::set<std::string> keys;
  for (const auto& [key, value] : old_values) keys.insert(key);
  for (const auto& [key, value] : new_values) keys.insert(key);
  std::vector<std::string> lines;
  for (const std::string& key : keys) {
    if (is_free(key, free_keys)) continue;
    const std::string old_value = old_values.contains(key) ? old_values.at(key) : "(none)";
    const std::string new_value = new_values.contains(key) ? new_values.at(key) : "(none)";
    if (old_value != new_value) lines.push_back(cat(key, ": ", old_value, " -> ", new_value));
  }
  return lines;
}

}  // namespace diptych
