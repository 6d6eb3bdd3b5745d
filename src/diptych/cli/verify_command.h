#pragma once

#include <filesystem>

namespace diptych {

/** `diptych verify FIXTURE_DIR`: prints a table; the exit status is `mismatch` if any item fails. */
int verify_command(const std::filesystem::path& folder);

}  // namespace diptych
