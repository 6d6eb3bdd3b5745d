#pragma once

#include <string>

#include "diptych/train/run/session.h"

namespace diptych {

/** Prints the last line of a training command, which says why it ended, and returns its exit status. */
int finish_run(EndReason reason, const std::string& run_folder, const std::string& outcome);

}  // namespace diptych
