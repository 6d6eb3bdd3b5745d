#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych verify FOLDER`: compares every item of a fixture folder and prints a table; the status is
 *  ExitCode::mismatch if any item fails. */
void add_verify(CLI::App& app, int& status);

}  // namespace diptych
