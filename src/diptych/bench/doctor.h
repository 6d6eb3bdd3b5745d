#pragma once
// Checks of machine, build and model folder, and of the training itself: `diptych doctor`.

#include "diptych/train/recipe/rl_config.h"

namespace diptych {

enum class Health { ok, warning, failure };

struct CheckResult {
  Health health = Health::ok;
  std::string subject;
  std::string detail;  // what was seen; of a warning or failure also what it means and what to do
};

/** Processor, memory, disk of the current folder, and how the program was built. */
std::vector<CheckResult> check_machine();

/** Loads the folder, which checks files, names and shapes; then that every weight is finite, that text comes back from
 *  the tokenizer, and that a thought and a picture can be made. A failure to load is a finding, not an exception. */
std::vector<CheckResult> check_model(const std::filesystem::path& folder);

/** One row for each training step, as in metrics.jsonl. */
using MetricRows = std::vector<MetricRow>;

/** Whether the reward rose: the mean of the last third of the steps against that of the first third, in standard
 *  errors of the difference (from reward/std and the number of chains a step). Above kSureRise counts. */
CheckResult judge_rise(const MetricRows& rows, int64_t chains_per_step);
inline constexpr double kSureRise = 4;

/** Whether rollout and replay agreed and no update was skipped. */
CheckResult judge_numerics(const MetricRows& rows, const RlRecipe& recipe);

/** The recipe with what a short run on a trivial reward needs: brightness, no evaluation, a run folder of its own. */
RlRecipe trivial_recipe(RlRecipe recipe, const std::filesystem::path& run_folder);

/** Trains by trivial_recipe() and judges the result. */
std::vector<CheckResult> check_training(const RlRecipe& recipe, const std::filesystem::path& run_folder);

}  // namespace diptych
