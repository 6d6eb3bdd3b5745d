#pragma once
// Checkpoints that a crash at any moment cannot spoil.
//
// RUN/checkpoints/step_000123/  trainable.safetensors  the trained weights
//                               optimizer.safetensors  moments and step count of the optimizer
//                               state.json             everything else
//                               manifest.json          size and XXH3 hash of the files above
// RUN/checkpoints/LATEST        the name of one such folder
//
// Several ranks write a part each, trainable.0.safetensors, trainable.1.safetensors, ...: whole tensors under their
// names, so that any number of ranks can read them.
//
// Write order, each step on disk before the next: (1) the three files and then the manifest in `tmp_step_000123`, (2)
// that folder's entries, (3) if the step exists already, its old folder is renamed to `old_step_000123`, (4) `tmp_` is
// renamed to its final name, (5) LATEST, (6) old folders go: renamed to `tmp_...` first, then removed. So a folder with
// a final name is complete unless the disk or a person damaged it, and whatever LATEST named before stays loadable
// until (6).

#include "diptych/tensor/torch.h"

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diptych/distributed/process_group.h"
#include "diptych/tensor/named_tensor.h"
#include "diptych/train/run/environment.h"

namespace diptych {

/** What a continuation needs besides tensors: state.json. */
struct TrainState {
  int64_t step = 0;                           // optimizer steps done; names the folder
  std::map<std::string, int64_t> counters{};  // cursors and totals of the loop
  std::string base_hash{};                    // of the frozen base model
  std::string reference_hash{};               // of the reference policy, empty if there is none
  Environment environment{};
  nlohmann::json extra = nlohmann::json::object();  // anything else, finite numbers only
};

struct LoadedCheckpoint {
  std::filesystem::path folder;
  TrainState state;
  std::map<std::string, Tensor> weights;    // in the files (map_tensors): what is not used is not in memory
  std::map<std::string, Tensor> optimizer;  // the same
};

/** Writes RUN/checkpoints/step_NNNNNN in the order above, points LATEST at it, and of the folders up to this step keeps
 *  the newest `keep_last` (at least 1). Returns the folder. Throws Error(io). With several ranks all call it, each with
 *  the tensors that it owns; the first one writes everything else. */
std::filesystem::path save_checkpoint(const std::filesystem::path& run_folder, const TrainState& state,
                                      const std::vector<NamedTensor>& weights,
                                      const std::vector<NamedTensor>& optimizer, int keep_last,
                                      ProcessGroup& ranks = single_process());

/** Of the folders up to `newest_step`, keeps the newest `keep_last`; a kill may have come between a save and this.
 * Throws Error(io). */
void remove_old_checkpoints(const std::filesystem::path& run_folder, int64_t newest_step, int keep_last);

/** The checkpoint that LATEST names. Where LATEST is missing or names nothing: the newest. Where the manifest does not
 *  verify: a warning names file and damage, and the next older one is used, then those newer than LATEST. Nothing if
 * the run has no checkpoint. Throws Error(model) that lists every folder with its damage if none is whole. Call
 *  tidy_checkpoints() first. */
std::optional<LoadedCheckpoint> load_latest(const std::filesystem::path& run_folder);

/** Removes what a killed process left in RUN/checkpoints: half-written and half-removed folders. Gives a folder that
 * was being replaced its name back. The process that saves calls it once, before any process loads. */
void tidy_checkpoints(const std::filesystem::path& run_folder);

/** Folders of RUN/checkpoints with a final name, by step, whole or not. */
std::map<int64_t, std::filesystem::path> list_checkpoints(const std::filesystem::path& run_folder);

/** What is wrong with a checkpoint folder, naming the file; empty if its manifest verifies. */
std::string checkpoint_damage(const std::filesystem::path& folder);

/** Copies the checkpoint's weights into those of the same names. Throws Error(model) for one that it lacks or that has
 * another shape. */
void place_weights(const LoadedCheckpoint& loaded, const std::vector<NamedTensor>& weights);

/** Throws Error(model) if the checkpoint was made with another base or reference; warns if the environment differs,
 * since the continuation is then not bit-identical. */
void check_resumable(const TrainState& saved, const TrainState& current);

}  // namespace diptych
