#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/cli/finish.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/train/loops/autoencoder_training.h"
#include "diptych/train/loops/sft.h"
#include "diptych/train/run/run_log.h"

namespace diptych {

namespace {

std::string outcome_in(const std::string& run_folder) {
  return cat("wrote the model folder ", run_folder, "/model; `", report_command_line(run_folder),
             "` shows how it went");
}

int sft(const RecipeArguments& arguments) {
  std::string kind = "sft";
  ConfigReader(arguments.recipe, arguments.overrides).choice("kind", kind, {"sft", "autoencoder"}, "");
  if (kind == "autoencoder") {
    const auto recipe = load_config<AutoencoderRecipe>(arguments.recipe, arguments.overrides);
    return finish_run(train_autoencoder(recipe), recipe.run.dir, outcome_in(recipe.run.dir));
  }
  const auto recipe = load_config<SftRecipe>(arguments.recipe, arguments.overrides);
  try {
    return finish_run(train_sft(recipe), recipe.run.dir, outcome_in(recipe.run.dir));
  } catch (const Error&) {
    retell_model_error(recipe.model);
  }
}

/** `diptych sft RECIPE [key=value...]`: the supervised start of a model or an autoencoder. */
void add_sft(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("sft", "supervised start of a model or an autoencoder");
  auto arguments = add_recipe_arguments(*command, "recipes/shapes_sft.toml");
  command->callback([=, &status] { status = sft(*arguments); });
}

}  // namespace

std::vector<Command> sft_command() {
  return {{.order = 170, .add = add_sft}};
}

}  // namespace diptych
