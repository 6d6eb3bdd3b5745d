#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych recipe RECIPE [key=value...]`: prints the recipe with every key, its value and what it means. */
void add_recipe(CLI::App& app, int& status);

}  // namespace diptych
