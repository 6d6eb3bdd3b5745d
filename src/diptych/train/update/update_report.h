#pragma once
// What the updates of a rollout did, on all processes.

#include "diptych/train/update/replay_gate.h"

namespace diptych {

struct UpdateReport {
  LossReport losses = empty_report();                                       // of the last update
  std::map<std::string, double> first_ratios = largest_ratios(losses, {});  // of the first update (gate A)
  GateReport gate;                                                          // gate B
  std::vector<GroupStepReport> groups;
  int64_t applied = 0;  // updates
  int64_t skipped = 0;  // updates refused because something was not finite
  double flops = 0;     // of all forward and backward passes with gradient, counted as 3 forwards
};

/** What one process saw of the last update, joined to what all saw. To be called on all of them. */
void join_reports(ProcessGroup& ranks, UpdateReport& report);

}  // namespace diptych
