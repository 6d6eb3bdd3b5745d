#pragma once
// The sub-commands of the program, one file each.

#include <CLI/CLI.hpp>

namespace diptych {

/** Adds every sub-command in the order a newcomer needs them; each callback sets `status`, the program's exit status.
 */
void add_commands(CLI::App& app, int& status);

}  // namespace diptych
