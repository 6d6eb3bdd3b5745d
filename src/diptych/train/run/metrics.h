#pragma once
// The curves of a run: RUN/metrics.jsonl, the record that tools read, and the same scalars for TensorBoard.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "diptych/io/json_lines.h"
#include "diptych/io/tensorboard.h"

namespace diptych {

/** Values by name, such as "reward/mean". Everything that depends on the clock (seconds, throughput, memory) is named
 *  "time/...": all other values are bit-identical after a resume. */
using MetricRow = std::map<std::string, double>;

/** Writes one row per step, in the order of the steps; keys are sorted, so rows are the same text for the same values.
 *  Non-finite values become null in metrics.jsonl. One process of a run has one. */
class Metrics {
 public:
  /** Opens RUN/metrics.jsonl and RUN/tensorboard, and cuts the rows after `resume_step` off metrics.jsonl and out of
   * what TensorBoard shows: pass the step of the loaded checkpoint, or -1 for a start from scratch. Throws Error(io). A
   * kill may have come between the checkpoint and the row of its step, which then is still to be written. */
  Metrics(const std::filesystem::path& run_folder, int64_t resume_step);

  /** Writes {"step": step, ...row}. Steps must rise; "step" is no valid key. Write a step's row before its checkpoint,
   * or keep it in that (Session::save), so that a resume neither loses nor repeats it. Throws Error(io). */
  void write(int64_t step, const MetricRow& row);

  /** The step of the last row; -1 without rows. */
  int64_t last_step() const { return last_step_; }

  /** For texts and images beside the curves. */
  TensorBoardWriter& tensorboard() { return tensorboard_; }

 private:
  JsonLinesWriter rows_;
  int64_t last_step_;
  TensorBoardWriter tensorboard_;
};

}  // namespace diptych
