// The GEdit analogue of the shapes world: edits of held-out instructions.

#include <algorithm>

#include "diptych/base/text_format.h"
#include "diptych/eval/benchmarks/benchmarks.h"
#include "diptych/eval/benchmarks/shapes_world.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

namespace {

/** Means over edits: GEdit's three (alphagrpo.md 8.2) in [0, 1], and the strict rate. */
struct EditScores {
  double correct = 0;
  double semantic = 0;  // min(followed, preserved)
  double quality = 0;
  double overall = 0;  // sqrt(semantic quality)
  double count = 0;

  void add(const shapes::EditVerdict& verdict) {
    correct += verdict.correct ? 1 : 0;
    semantic += std::min(verdict.followed, verdict.preserved);
    quality += verdict.quality;
    overall += verdict.overall();
    count += 1;
  }
  /** By name, 0 without edits. */
  std::map<std::string, double> means() const {
    const double edits = std::max(count, 1.0);
    return {{"correct", correct / edits},
            {"semantic", semantic / edits},
            {"quality", quality / edits},
            {"overall", overall / edits}};
  }
};

const shapes::EditTask& edit_of(const TaskPrompt& prompt) {
  return *shapes_edit(prompt);
}

std::vector<TaskPrompt> instructions(const EvaluationConfig& config) {
  const shapes::World world;
  std::vector<TaskPrompt> prompts;
  for (const shapes::EditTask& task :
       shapes::edit_pool(split_named(config.split), static_cast<int>(config.edits), 0, world))
    prompts.push_back(edit_task(task, world));
  return prompts;
}

EpisodeOptions editing(const EpisodeOptions& recipe, const EvaluationConfig& config) {
  check_evaluated_size(recipe.image_height);
  EpisodeOptions options = recipe;
  if (options.program.name != "edit_think") options.program = episode_program("edit");
  options.edit_guidance.text_scale = config.guidance;
  return options;
}

std::string scores_row(const std::string& name, const EditScores& scores) {
  const std::map<std::string, double> means = scores.means();
  char line[256];
  std::snprintf(line, sizeof line, "  %-28s %7.3f %9.3f %8.3f %8.3f\n", name.c_str(), means.at("correct"),
                means.at("semantic"), means.at("quality"), means.at("overall"));
  return line;
}

std::string scores_heading(const EvaluationConfig& config) {
  char columns[256];
  std::snprintf(columns, sizeof columns, "  %-28s %7s %9s %8s %8s\n", "", "correct", "semantic", "quality", "overall");
  return cat("\nEdits, ", config.edits, " held-out instructions, ", config.split, " split\n", columns);
}

BenchmarkResult edit_numbers(const EvaluationInput& input, std::vector<EvaluatedSample> samples) {
  const EvaluationConfig& config = input.config;
  const shapes::World world;
  EditScores all;
  std::map<std::string, EditScores> by_kind;
  for (EvaluatedSample& sample : samples) {
    const shapes::EditVerdict verdict =
        shapes::verify_edit(sample.candidate.images.back(), edit_of(sample.prompt), world);
    sample.correct = verdict.correct;
    sample.score.value = verdict.overall();
    all.add(verdict);
    by_kind[sample.prompt.family].add(verdict);
  }
  const std::map<std::string, double> means = all.means();
  BenchmarkResult result;
  for (const auto& [name, mean] : means) result.metrics["eval/edits/" + name] = mean;
  result.summary = cat("correct edits ", fixed(means.at("correct"), 3), ", overall ", fixed(means.at("overall"), 3));
  result.report = {{"split", config.split}, {"edit_instructions", config.edits}, {"edits", means}};
  result.table = scores_heading(config) + scores_row("all", all);
  for (const auto& [kind, scores] : by_kind) {
    result.report["edits_by_kind"][kind] = scores.means();
    result.table += scores_row("  " + kind, scores);
  }
  result.samples = std::move(samples);
  return result;
}

}  // namespace

std::vector<Benchmark> shapes_edits_benchmark() {
  Benchmark benchmark;
  benchmark.order = 20;
  benchmark.name = "edits";
  benchmark.key = "eval.edits";
  benchmark.of_shapes_world = true;
  benchmark.in_supervised = false;
  benchmark.is_asked = [](const EvaluationConfig& config) { return config.edits > 0; };
  benchmark.turn_off = [](EvaluationConfig& config) { config.edits = 0; };
  benchmark.check = [](const EvaluationPlan& plan) { check_evaluated_size(plan.image_size); };
  benchmark.cost = [](const EvaluationPlan& plan) { return EvaluationCost{.pictures = plan.config.edits}; };
  benchmark.prompts = instructions;
  benchmark.episode = editing;
  benchmark.numbers = edit_numbers;
  return {benchmark};
}

}  // namespace diptych
