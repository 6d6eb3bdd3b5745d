#pragma once
// A command of the program is one file here: NAME_command.cpp, which defines `std::vector<Command> NAME_command()`.

#include <CLI/CLI.hpp>
#include <vector>

namespace diptych {

struct Command {
  int order = 0;  // place in `diptych --help`, small numbers first: what a newcomer needs first

  /** Adds the command to the program; its callback sets `status`, the program's exit status. */
  void (*add)(CLI::App& app, int& status) = nullptr;
};

/** Every command, in no order: from the names of the files (diptych_list in CMakeLists.txt). */
std::vector<Command> all_commands();

}  // namespace diptych
