#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych train RECIPE [key=value...]`: reinforcement training. */
void add_train(CLI::App& app, int& status);

}  // namespace diptych
