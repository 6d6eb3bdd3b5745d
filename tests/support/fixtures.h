#pragma once
// Where the fixtures are.

#include <cstdlib>
#include <filesystem>

namespace diptych {

/** The folder that holds bagel_tiny/ and algorithms/: DIPTYCH_FIXTURES if set, else tests/fixtures of the sources. */
inline std::filesystem::path fixture_folder() {
  const char* folder = std::getenv("DIPTYCH_FIXTURES");
  return folder != nullptr ? std::filesystem::path(folder)
                           : std::filesystem::path(DIPTYCH_SOURCE_DIR) / "tests" / "fixtures";
}

}  // namespace diptych
