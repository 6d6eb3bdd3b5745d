#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace diptych {

/** `diptych train RECIPE [key=value...]` */
int train_command(const std::filesystem::path& recipe, const std::vector<std::string>& overrides);

}  // namespace diptych
