#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/train/evaluate/evaluation_run.h"

namespace diptych {

namespace {

std::vector<BenchmarkResult> evaluation_of(const EvaluationRecipe& recipe) {
  try {
    return run_evaluation(recipe);
  } catch (const Error&) {
    retell_model_error(recipe.model);
  }
}

int evaluate(const RecipeArguments& arguments) {
  const auto recipe = load_config<EvaluationRecipe>(arguments.recipe, arguments.overrides);
  for (const BenchmarkResult& result : evaluation_of(recipe)) std::fputs(result.table.c_str(), stdout);
  if (!recipe.out.empty()) std::printf("\nwrote %s/result.json\n", recipe.out.c_str());
  return 0;
}

/** `diptych eval`: correct-rates, refinement and edit scores of a model folder. */
void add_eval(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("eval", "evaluate a model folder on held-out prompts and edits");
  auto arguments = add_recipe_arguments(*command, "recipes/shapes_eval.toml");
  command->callback([=, &status] { status = evaluate(*arguments); });
}

}  // namespace

std::vector<Command> eval_command() {
  return {{.order = 100, .add = add_eval}};
}

}  // namespace diptych
