#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** Adds `doctor`, which checks machine, build, a model folder and that training learns. */
void add_doctor(CLI::App& app, int& status);

}  // namespace diptych
