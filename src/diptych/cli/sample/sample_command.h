#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych sample MODEL --prompt TEXT`: thoughts and images of a model folder, sampled as in training. */
void add_sample(CLI::App& app, int& status);

}  // namespace diptych
