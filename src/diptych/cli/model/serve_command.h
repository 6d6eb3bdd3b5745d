#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych serve MODEL`: an OpenAI-compatible server over a model folder, until SIGINT or SIGTERM. */
void add_serve(CLI::App& app, int& status);

}  // namespace diptych
