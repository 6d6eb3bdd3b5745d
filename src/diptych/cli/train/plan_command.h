#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych plan RECIPE [key=value...]`: memory, operations and time of a training recipe on a card, without one. */
void add_plan(CLI::App& app, int& status);

}  // namespace diptych
