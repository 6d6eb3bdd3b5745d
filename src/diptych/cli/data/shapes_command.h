#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych shapes show` writes a contact sheet with one row of scenes per family of prompts, and prints the prompt,
 * the thinking and the refined caption of the first scene of each row. `diptych shapes verify IMAGE --prompt TEXT`
 * prints what the verifier sees and its verdict; the status is ExitCode::mismatch if the picture is not what the prompt
 * asks for. The prompt is one of the world's prompts or a caption ("a photo of" may precede it). */
void add_shapes(CLI::App& app, int& status);

}  // namespace diptych
