#pragma once

#include <CLI/CLI.hpp>

#include "diptych/reward/judge/judge_config.h"

namespace diptych {

/** Adds the options that say which judge servers to ask and how; --url and --model are required. */
void add_judge_options(CLI::App* command, JudgeConfig& config);

}  // namespace diptych
