#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** Makes one sub-command of `group` necessary: without any, the group prints its help and the status is
 *  ExitCode::usage. */
void require_command(CLI::App& group, int& status);

}  // namespace diptych
