#include "diptych/cli/init_command.h"

#include <cstdio>

#include "diptych/cli/recipe_arguments.h"
#include "diptych/model/recipe.h"
#include "diptych/shapes/corpus.h"

namespace diptych {

namespace {

int init(const RecipeArguments& arguments, const std::string& folder) {
  const auto recipe = load_config<ModelRecipe>(arguments.recipe, arguments.overrides);
  create_model_folder(folder, recipe, shapes::tokenizer_corpus());
  std::printf("wrote %s\n", folder.c_str());
  return 0;
}

}  // namespace

void add_init(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("init", "make a model folder with random weights");
  auto arguments = std::make_shared<RecipeArguments>();
  auto folder = std::make_shared<std::string>();
  command->add_option("recipe", arguments->recipe, "TOML file, such as recipes/shapes_model.toml")
      ->required()
      ->type_name("FILE");
  command->add_option("folder", *folder, "folder to write")->required()->type_name("FOLDER");
  add_overrides(*command, arguments->overrides);
  command->callback([=, &status] { status = init(*arguments, *folder); });
}

}  // namespace diptych
