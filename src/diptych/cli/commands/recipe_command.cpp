#include <cstdio>

#include "diptych/cli/commands/command.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/model/folder/model_recipe.h"
#include "diptych/train/evaluate/evaluation_run.h"
#include "diptych/train/loops/autoencoder_training.h"
#include "diptych/train/loops/sft.h"
#include "diptych/train/recipe/load_recipe.h"

namespace diptych {

namespace {

template <class Recipe>
std::string resolved(const RecipeArguments& arguments) {
  return print_config(load_config<Recipe>(arguments.recipe, arguments.overrides));
}

std::string resolved_text(const RecipeArguments& arguments) {
  std::string kind;
  ConfigReader(arguments.recipe, arguments.overrides).choice("kind", kind, {"rl", "sft", "autoencoder", "eval"}, "");
  if (kind == "rl") return print_config(load_rl_recipe(arguments.recipe, arguments.overrides));
  if (kind == "sft") return resolved<SftRecipe>(arguments);
  if (kind == "autoencoder") return resolved<AutoencoderRecipe>(arguments);
  if (kind == "eval") return resolved<EvaluationRecipe>(arguments);
  return resolved<ModelRecipe>(arguments);  // the recipes of `diptych init` have no kind
}

/** `diptych recipe RECIPE [key=value...]`: prints the recipe with every key, its value and what it means. */
void add_recipe(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("recipe", "print a recipe with every key, its value and its meaning");
  auto arguments = add_recipe_arguments(*command, "recipes/shapes_unigrpo.toml");
  command->callback([=, &status] {
    std::fputs(resolved_text(*arguments).c_str(), stdout);
    status = 0;
  });
}

}  // namespace

std::vector<Command> recipe_command() {
  return {{.order = 40, .add = add_recipe}};
}

}  // namespace diptych
