#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych judge check`: asks judge servers a few questions and says whether training on them is safe; the status is
 *  ExitCode::reward if it is not. `diptych judge agreement`: cli/data/judge_agreement_command.h. */
void add_judge(CLI::App& app, int& status);

}  // namespace diptych
