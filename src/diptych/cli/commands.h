#pragma once
// The sub-commands of the program, one function each to register it.

#include <CLI/CLI.hpp>

namespace diptych {

/** Adds every sub-command; each callback sets `status`, the exit status of the program. */
void add_commands(CLI::App& app, int& status);

}  // namespace diptych
