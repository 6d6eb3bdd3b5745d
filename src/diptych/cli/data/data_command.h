#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych data check FILE`: prints a report on a file of supervised examples, or on a `.txt` file of prompts. The
 *  status is ExitCode::data if there are faults. */
void add_data(CLI::App& app, int& status);

}  // namespace diptych
