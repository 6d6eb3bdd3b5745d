#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

/** `diptych sft RECIPE [key=value...]` */
int sft_command(const std::filesystem::path& recipe, const std::vector<std::string>& overrides);

}  // namespace diptych
