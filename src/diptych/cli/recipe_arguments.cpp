#include "diptych/cli/recipe_arguments.h"

namespace diptych {

std::shared_ptr<RecipeArguments> add_recipe_arguments(CLI::App& command, const std::string& example) {
  auto arguments = std::make_shared<RecipeArguments>();
  command.add_option("recipe", arguments->recipe, "TOML file, such as " + example)->required()->type_name("FILE");
  add_overrides(command, arguments->overrides);
  return arguments;
}

void add_overrides(CLI::App& command, std::vector<std::string>& overrides) {
  command.add_option("overrides", overrides, "values that beat the recipe's, such as run.seed=1")
      ->type_name("KEY=VALUE");
}

}  // namespace diptych
