#pragma once
// The health warnings of a report.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** The warnings of every run, alarms first, and what was checked. Runs without metrics have none. */
std::string health_section(const std::vector<RunData>& runs);

}  // namespace diptych
