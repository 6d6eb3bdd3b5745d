#pragma once
// What the log says of a run as it begins: what trains, and where to look.

#include <string>
#include <vector>

#include "diptych/model/bagel/bagel.h"
#include "diptych/train/optimizer/optimizer.h"
#include "diptych/train/run/session.h"

namespace diptych {

struct RunStart {
  const RunConfig& run;
  std::string model;  // its folder
  int64_t first_step = 0;
  int64_t steps = 0;
  const std::vector<ParameterGroup>& groups;  // what trains
  int64_t model_bytes = 0;                    // of the folder that the run will write
  int64_t averages = 0;                       // 1 with a moving average beside the masters
};

/** The command line that makes a page of a run. */
std::string report_command_line(const std::string& run_folder);

/** Of the weights of a model folder, as they are in memory. */
int64_t folder_bytes(Bagel& model);

/** Model, what trains and at which peak rates, run folder, steps, and where the curves are. */
std::vector<std::string> run_start_lines(const RunStart& start);

/** Bytes of the checkpoints that a run keeps at once, one more while it is saved, and of its model: masters, two
 * moments and averages are float32. Without those checkpoints that are there already. */
int64_t disk_need(const RunStart& start);

/** Logs the lines, and a warning where the disk has less room than disk_need(). */
void log_run_start(const RunStart& start);

}  // namespace diptych
