#pragma once

#include <filesystem>

namespace diptych {

/** `diptych data check FILE`: prints a report on a file of supervised examples, or on a `.txt` file of prompts. Returns
 *  ExitCode::data if there are faults, else 0. */
int data_check_command(const std::filesystem::path& file);

}  // namespace diptych
