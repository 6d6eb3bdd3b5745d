#pragma once
// The curves of a report.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** A panel per metric in groups, all runs in one panel; metrics that never change in a list instead. */
std::string curves_section(const std::vector<RunData>& runs);

}  // namespace diptych
