#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych export`. */
void add_export(CLI::App& app, int& status);

}  // namespace diptych
