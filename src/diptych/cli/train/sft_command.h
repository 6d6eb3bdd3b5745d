#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych sft RECIPE [key=value...]`: the supervised start of a model or an autoencoder. */
void add_sft(CLI::App& app, int& status);

}  // namespace diptych
