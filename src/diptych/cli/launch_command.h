#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych launch --nproc N COMMAND...`: another command in several processes on this machine. */
void add_launch(CLI::App& app, int& status);

}  // namespace diptych
