#include "diptych/train/recipe/load_recipe.h"

#include "diptych/base/config_layers.h"
#include "diptych/train/prompts/prompt_sources.h"

namespace diptych {

RlRecipe load_rl_recipe(const std::filesystem::path& file, const std::vector<std::string>& overrides) {
  auto recipe = load_config<RlRecipe>(file, overrides);
  if (prompt_source(recipe.prompts.source).foreign.empty()) return recipe;
  const auto is_asked_for = [&](const char* key) { return is_set_along_with(file, overrides, key, "prompts.source"); };
  if (!is_asked_for("eval.prompts")) recipe.eval.prompts = 0;
  if (!is_asked_for("eval.edits")) recipe.eval.edits = 0;
  return recipe;
}

}  // namespace diptych
