#pragma once

#include <CLI/CLI.hpp>

namespace diptych {

/** `diptych judge agreement`, below `judge`: asks a judge about pictures whose truth is known and says how often it is
 *  right; the status is ExitCode::reward if it answered no question. */
void add_judge_agreement(CLI::App& judge, int& status);

}  // namespace diptych
