#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych decompose`: atomic questions about prompts, made by a language model or by rules. */
void add_decompose(CLI::App& app, int& status);

}  // namespace diptych
