#include <cstdio>

#include "diptych/base/error.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/train/evaluate/evaluation_run.h"

namespace diptych {

namespace {

void print_value(const char* name, double value) {
  std::printf("  %-28s %7.3f\n", name, value);
}

void print_refinement(const RefinementResult& result, const EvaluationConfig& config) {
  std::printf("\nRefinement, mode %s, %lld round%s\n", config.refine.c_str(),
              static_cast<long long>(config.refine_rounds), config.refine_rounds == 1 ? "" : "s");
  print_value("before", result.before);
  print_value("after", result.after);
  print_value("share refined", result.refined);
  print_value("right pictures kept right", result.kept_right);
  print_value("wrong pictures repaired", result.repaired);
  print_value("true descriptions", result.described);
  print_value("faults named", result.diagnosed);
  if (config.refine == "self") {
    print_value("reviews that stopped", result.stops);
    print_value("stop precision", result.stop_precision);
    print_value("stop recall", result.stop_recall);
  }
}

void print_pictures(const EvaluationResult& result, const EvaluationConfig& config) {
  std::printf("Strictly correct pictures, %lld prompts a pool, %s split, refinement: %s\n",
              static_cast<long long>(config.prompts), config.split.c_str(), config.refine.c_str());
  print_value("explicit prompts", result.correct_explicit);
  print_value("implicit prompts", result.correct_implicit);
  print_value("mean of both", 0.5 * (result.correct_explicit + result.correct_implicit));
  if (result.reward) print_value("reward", *result.reward);
  if (result.thinks) print_value("thoughts that ask for it", result.refined_correct);
  for (const auto& [family, rate] : result.correct_by_family) print_value(("  " + family).c_str(), rate);
  if (result.refinement) print_refinement(*result.refinement, config);
}

void print_edit_row(const char* name, const EditScores& scores) {
  std::printf("  %-28s %7.3f %9.3f %8.3f %8.3f\n", name, scores.correct, scores.semantic, scores.quality,
              scores.overall);
}

void print_edits(const EditEvaluation& edits, const EvaluationConfig& config) {
  std::printf("\nEdits, %lld held-out instructions, %s split\n  %-28s %7s %9s %8s %8s\n",
              static_cast<long long>(config.edits), config.split.c_str(), "", "correct", "semantic", "quality",
              "overall");
  print_edit_row("all", edits.all);
  for (const auto& [kind, scores] : edits.by_kind) print_edit_row(("  " + kind).c_str(), scores);
}

EvaluationReport evaluation_of(const EvaluationRecipe& recipe) {
  try {
    return run_evaluation(recipe);
  } catch (const Error&) {
    retell_model_error(recipe.model);
  }
}

int evaluate(const RecipeArguments& arguments) {
  const auto recipe = load_config<EvaluationRecipe>(arguments.recipe, arguments.overrides);
  const EvaluationReport report = evaluation_of(recipe);
  if (report.pictures) print_pictures(*report.pictures, recipe.eval);
  if (report.edits) print_edits(*report.edits, recipe.eval);
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
