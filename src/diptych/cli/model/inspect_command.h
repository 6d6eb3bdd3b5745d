#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych inspect PATH`: what a model folder or a .safetensors file holds. */
void add_inspect(CLI::App& app, int& status);

}  // namespace diptych
