#pragma once
// The folder of a run: who may use it, and whether a run starts or continues there.
//
// RUN/  lock (held by the running process)   recipe.toml (resolved)   metrics.jsonl   tensorboard/   checkpoints/
//       changes.jsonl (of the recipe, on the way)   before_TIME/ (of a start that was killed early)

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "diptych/base/config/config.h"

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

/** Decides, under the lock, whether the run in this folder continues, and removes what a killed process left
 *  half-written there. Returns true if a checkpoint is there to continue from. Throws Error(config) with a hint: the
 *  folder is not empty under `never`; is not a run folder; holds no checkpoint under `must`. */
bool prepare_run_folder(const std::filesystem::path& run_folder, Resume resume);

/** RUN/recipe.toml, the recipe as the last start of the run read it. */
std::optional<ConfigText> stored_recipe(const std::filesystem::path& run_folder);
/** The same, which must be there: Error(config). */
ConfigText required_recipe(const std::filesystem::path& run_folder);
/** The same as a recipe of this type, which any version of the program may have stored. Throws Error(config). */
template <class Recipe>
Recipe recipe_of_run(const std::filesystem::path& run_folder) {
  Recipe recipe;
  ConfigReader reader(required_recipe(run_folder));
  visit(reader, recipe);
  return recipe;
}
/** Throws Error(io). */
void store_recipe(const std::filesystem::path& run_folder, const std::string& recipe);

/** Metrics, evaluations and the like of a run that ended before its first checkpoint: names in RUN. */
std::vector<std::string> left_behind(const std::filesystem::path& run_folder);

/** Moves them, with a copy of the recipe, to RUN/before_TIME, a folder that reads like a run's own, so that the run
 * which begins anew does not mix with them. Returns the folder. Throws Error(io). */
std::filesystem::path set_aside(const std::filesystem::path& run_folder);

}  // namespace diptych
