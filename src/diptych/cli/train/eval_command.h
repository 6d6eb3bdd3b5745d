#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych eval`: correct-rates, refinement and edit scores of a model folder. */
void add_eval(CLI::App& app, int& status);

}  // namespace diptych
