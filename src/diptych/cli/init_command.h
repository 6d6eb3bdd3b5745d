#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

/** `diptych init RECIPE FOLDER [key=value...]` */
int init_command(const std::filesystem::path& recipe, const std::filesystem::path& folder,
                 const std::vector<std::string>& overrides);

}  // namespace diptych
