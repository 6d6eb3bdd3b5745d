#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace diptych {

/** `diptych launch --nproc N COMMAND...`: another command in several processes on this machine. */
void add_launch(CLI::App& app, int& status);

/** The words of a command line without the "--" that may stand between the options of `launch` and its command, as
 *  other launchers want it; CLI11 takes what follows it for arguments of `launch` itself. */
std::vector<std::string> without_launch_separator(std::vector<std::string> words);

}  // namespace diptych
