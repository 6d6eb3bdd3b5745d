#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/cli/finish.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/train/loops/rl.h"
#include "diptych/train/recipe/load_recipe.h"
#include "diptych/train/run/run_log.h"

namespace diptych {

namespace {

int train(const RecipeArguments& arguments) {
  const auto recipe = load_rl_recipe(arguments.recipe, arguments.overrides);
  try {
    const RlResult result = train_rl(recipe);
    return finish_run(result.reason, recipe.run.dir,
                      cat(result.steps, result.steps == 1 ? " step" : " steps", "; the trained model is ",
                          recipe.run.dir, "/model; `", report_command_line(recipe.run.dir), "` shows how it went"));
  } catch (const Error&) {
    retell_model_error(recipe.model);
  }
}

/** `diptych train RECIPE [key=value...]`: reinforcement training. */
void add_train(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("train", "reinforcement training of a model");
  auto arguments = add_recipe_arguments(*command, "recipes/shapes_unigrpo.toml");
  command->callback([=, &status] { status = train(*arguments); });
}

}  // namespace

std::vector<Command> train_command() {
  return {{.order = 60, .add = add_train}};
}

}  // namespace diptych
