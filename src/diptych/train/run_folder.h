#pragma once
// The folder of a run: who may use it, and whether a run starts or continues there.
//
// RUN/  lock (held by the running process)   recipe.toml (resolved)   metrics.jsonl   tensorboard/   checkpoints/

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

/** `automatic` continues where there is a checkpoint, `never` wants an empty folder, `must` wants a checkpoint. */
enum class Resume { automatic, never, must };

/** "auto", "never" or "must". Throws Error(config). */
Resume parse_resume(const std::string& text);

/** An exclusive lock on RUN/lock that ends with the object or the process, however that ends. Where the file system has
 * no locks, a warning takes its place. */
class RunLock {
 public:
  /** Creates the folder if needed. Throws Error(io) that names the process that holds the lock. */
  explicit RunLock(const std::filesystem::path& run_folder);
  ~RunLock();
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

 private:
  int file_ = -1;
};

/** Decides, under the lock, whether the run in this folder continues, removes what a killed process left half-written
 *  there, and writes recipe.toml.
 *  `recipe` is the resolved recipe; `free_keys` are those that may change in a continuation ("train.steps", or "eval.*"
 *  for a whole section). Returns true if a checkpoint is there to continue from.
 *  Throws Error(config) with a hint: the folder is not empty under `never`; is not a run folder; holds no checkpoint
 * under `must`; holds a run of another recipe (the changed keys are listed). */
bool prepare_run_folder(const std::filesystem::path& run_folder, Resume resume, const std::string& recipe,
                        const std::vector<std::string>& free_keys);

/** Keys whose values differ between two TOML texts, as "section.key: before -> after" in key order; a missing value is
 *  written as (none). Comments, order and layout do not count, nor do keys matching `free_keys`. */
std::vector<std::string> recipe_changes(const std::string& before, const std::string& after,
                                        const std::vector<std::string>& free_keys);

}  // namespace diptych
