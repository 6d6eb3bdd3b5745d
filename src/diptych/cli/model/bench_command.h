#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych bench`: what the parts of a run achieve on this machine, against its limits. */
void add_bench(CLI::App& app, int& status);

}  // namespace diptych
