#include <cstdio>
#include <map>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/cli/commands/command.h"
#include "diptych/cli/compute_options.h"
#include "diptych/cli/finish.h"
#include "diptych/cli/recipe_arguments.h"
#include "diptych/io/image/image.h"
#include "diptych/io/json_lines.h"
#include "diptych/report/page/report_page.h"
#include "diptych/train/evaluate/evaluation_record.h"
#include "diptych/train/loops/rl.h"
#include "diptych/train/recipe/load_recipe.h"

namespace diptych {

namespace {

using Rates = std::map<std::string, double>;

struct RunCurves {
  Rates before;
  Rates after;
  int64_t last_step = 0;
  double training_seconds = 0;
};

RunCurves read_curves(const std::filesystem::path& run) {
  RunCurves curves;
  read_json_lines(run / "metrics.jsonl", [&](int64_t, const nlohmann::json& line) {
    const int64_t step = line.at("step");
    curves.training_seconds += line.value("time/step", 0.0);
    if (!line.contains("eval/correct_explicit")) return;
    Rates row;
    for (const auto& [key, value] : line.items())
      if (key.starts_with("eval/") && value.is_number()) row[key] = value;
    if (step == 0) curves.before = row;
    curves.after = row;
    curves.last_step = step;
  });
  return curves;
}

void print_row(const std::string& name, double before, double after) {
  std::printf("  %-28s %7.3f  %7.3f   %+.3f\n", name.c_str(), before, after, after - before);
}

void print_table(const RunCurves& curves, const RlRecipe& recipe) {
  std::printf("\nStrictly correct images, %lld held-out prompts a pool (%s split), same prompts and seeds\n",
              static_cast<long long>(recipe.eval.prompts), recipe.eval.split.c_str());
  std::printf("  %-28s %7s  %7s   %s\n", "", "before", "after", "rise");
  const auto rate = [](const Rates& row, const std::string& key) { return row.at("eval/" + key); };
  print_row("explicit prompts", rate(curves.before, "correct_explicit"), rate(curves.after, "correct_explicit"));
  print_row("implicit prompts", rate(curves.before, "correct_implicit"), rate(curves.after, "correct_implicit"));
  const auto mean = [&](const Rates& row) {
    return 0.5 * (rate(row, "correct_explicit") + rate(row, "correct_implicit"));
  };
  print_row("mean of both", mean(curves.before), mean(curves.after));
  if (curves.before.contains("eval/reward") && curves.after.contains("eval/reward"))
    print_row("reward", rate(curves.before, "reward"), rate(curves.after, "reward"));
  print_row("thoughts that ask for it", rate(curves.before, "refined_correct"), rate(curves.after, "refined_correct"));
  std::printf("  by family\n");
  const std::string prefix = "eval/family/";
  for (const auto& [key, before] : curves.before)
    if (key.starts_with(prefix)) print_row("  " + key.substr(prefix.size()), before, curves.after.at(key));
}

std::vector<nlohmann::json> read_samples(const std::filesystem::path& file) {
  std::vector<nlohmann::json> samples;
  read_json_lines(file, [&](int64_t, const nlohmann::json& line) { samples.push_back(line); });
  return samples;
}

// A few prompts whose image went from wrong to right while the thought changed.
void print_thoughts(const std::filesystem::path& run, int64_t last_step) {
  const auto before = read_samples(evaluation_file(run, 0, ".jsonl"));
  const auto after = read_samples(evaluation_file(run, last_step, ".jsonl"));
  constexpr int kShown = 3;
  int shown = 0;
  for (size_t i = 0; i < std::min(before.size(), after.size()) && shown < kShown; ++i) {
    const std::string earlier = before[i].value("thinking", "");
    const std::string later = after[i].value("thinking", "");
    if (before[i].at("correct") || !after[i].at("correct") || earlier == later) continue;
    if (shown++ == 0) std::printf("\nThoughts that changed where the image became right\n");
    std::printf("  %s\n    before  %s\n    after   %s\n", before[i].at("prompt").get<std::string>().c_str(),
                earlier.c_str(), later.c_str());
  }
}

std::filesystem::path write_comparison(const std::filesystem::path& run, int64_t last_step) {
  const Image before = read_image(evaluation_file(run, 0, ".png"));
  const Image after = read_image(evaluation_file(run, last_step, ".png"));
  const std::filesystem::path file = run / "before_after.png";
  write_png(file, image_grid({before, after}, 1, 12, 1));
  return file;
}

RlResult training_of(const RlRecipe& recipe) {
  try {
    return train_rl(recipe);
  } catch (const Error&) {
    retell_model_error(recipe.model);
  }
}

int quickstart(const std::filesystem::path& recipe_file, const std::vector<std::string>& overrides) {
  const auto recipe = load_rl_recipe(recipe_file, overrides);
  std::printf("UniGRPO: %s, seed %lld, %lld rollout steps of %lld prompts x %lld chains, run folder %s\n",
              recipe_file.string().c_str(), static_cast<long long>(recipe.run.seed),
              static_cast<long long>(recipe.train.steps), static_cast<long long>(recipe.prompts.per_step),
              static_cast<long long>(recipe.train.group_size), recipe.run.dir.c_str());
  std::fflush(stdout);
  const RlResult result = training_of(recipe);
  const std::filesystem::path run = recipe.run.dir;
  if (result.reason == EndReason::interrupted) return finish_run(result.reason, recipe.run.dir, "");
  const RunCurves curves = read_curves(run);
  if (curves.before.empty() || curves.last_step == 0)
    return finish_run(result.reason, recipe.run.dir, "no evaluations to compare (eval.prompts = 0)");
  print_table(curves, recipe);
  print_thoughts(run, curves.last_step);
  const std::filesystem::path comparison = write_comparison(run, curves.last_step);
  std::printf("\nPictures   %s (top: before, bottom: after)\n", comparison.string().c_str());
  std::printf("Thoughts   %s, %s\n", evaluation_file(run, 0, ".jsonl").string().c_str(),
              evaluation_file(run, curves.last_step, ".jsonl").string().c_str());
  std::printf("Curves     %s and %s\n", (run / "metrics.jsonl").string().c_str(),
              (run / "tensorboard").string().c_str());
  std::printf("Model      %s\n", (run / "model").string().c_str());
  write_report({run}, report_file(run));
  std::printf("Report     %s: open it in a browser\n", report_file(run).string().c_str());
  std::printf("\nNext\n");
  std::printf("  build/release/diptych sample %s --prompt \"a photo of as many squares as a tricycle has wheels\"\n",
              (run / "model").string().c_str());
  std::printf("  ./dev quickstart run.dir=runs/image_only train.text_weight=0     # FlowGRPO\n");
  std::printf("  ./dev quickstart run.dir=runs/text_only train.image_weight=0     # TextGRPO\n");
  return finish_run(
      result.reason, recipe.run.dir,
      cat(curves.last_step, " rollout steps, ", fixed(curves.training_seconds / 60, 1), " minutes of training"));
}

/** `diptych quickstart [key=value...]`: trains the shipped base by recipes/shapes_unigrpo.toml and tells what rose. */
void add_quickstart(CLI::App& app, int& status) {
  CLI::App* command = app.add_subcommand("quickstart", "train the shipped tiny model by UniGRPO and see what rose");
  auto recipe = std::make_shared<std::string>("recipes/shapes_unigrpo.toml");
  auto overrides = std::make_shared<std::vector<std::string>>();
  command->add_option("--recipe", *recipe, "another recipe")->type_name("FILE")->capture_default_str();
  add_overrides(*command, *overrides);
  command->callback([=, &status] { status = quickstart(*recipe, *overrides); });
}

}  // namespace

std::vector<Command> quickstart_command() {
  return {{.order = 10, .add = add_quickstart}};
}

}  // namespace diptych
