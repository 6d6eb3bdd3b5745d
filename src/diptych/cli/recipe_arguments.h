#pragma once
// The arguments `RECIPE [key=value...]` that several sub-commands share.

#include <CLI/CLI.hpp>
#include <memory>
#include <string>
#include <vector>

namespace diptych {

struct RecipeArguments {
  std::string recipe;
  std::vector<std::string> overrides;
};

/** Adds the recipe, which must be given, and any number of overrides behind it. `example` stands in the help. */
std::shared_ptr<RecipeArguments> add_recipe_arguments(CLI::App& command, const std::string& example);

/** Adds overrides alone. */
void add_overrides(CLI::App& command, std::vector<std::string>& overrides);

}  // namespace diptych
