#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych quickstart [key=value...]`: trains the shipped base by recipes/shapes_unigrpo.toml and tells what rose. */
void add_quickstart(CLI::App& app, int& status);

}  // namespace diptych
