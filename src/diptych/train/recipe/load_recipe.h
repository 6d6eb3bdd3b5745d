#pragma once

#include <filesystem>

#include "diptych/train/recipe/rl_config.h"

namespace diptych {

/** load_config, after which own prompts are not evaluated on the shapes world unless somebody asks for it: with
 *  prompts.source = "file", eval.prompts and eval.edits are 0 where they are set neither along with it nor later
 *  (base/config/config_layers.h). A shapes recipe that is given other prompts must not send its pictures to a judge. */
RlRecipe load_rl_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides);

}  // namespace diptych
