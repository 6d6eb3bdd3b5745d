#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych init RECIPE FOLDER [key=value...]`, `diptych init --like NAME FOLDER [key=value...]`: a model folder with
 *  random weights and a trained tokenizer. */
void add_init(CLI::App& app, int& status);

}  // namespace diptych
