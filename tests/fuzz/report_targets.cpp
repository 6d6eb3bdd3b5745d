#include <algorithm>

#include "diptych/report/run_data/run_data.h"
#include "fuzz/target.h"

namespace diptych::fuzz {

namespace {

/** A run folder of its own with the input in the place of one of its files. */
RunData read_run_with(const std::string& folder, const std::string& name, std::span<const std::byte> bytes) {
  scratch_file(folder + "recipe.toml", "kind = \"rl\"\n[train]\nrecord_every = 1\n[eval]\nprompts = 2\n");
  scratch_file(folder + name, bytes);
  return read_run(scratch_folder() / folder, 3);
}

void read_curves(std::span<const std::byte> bytes) {
  const RunData run = read_run_with("curves_run/", "metrics.jsonl", bytes);
  for (const auto& [name, series] : run.curves) {
    require(series.steps.size() == series.values.size(), "a curve with more steps than values");
    require(std::is_sorted(series.steps.begin(), series.steps.end()), "a curve that goes back");
    require(running_mean(series.values, smoothing_width(series.values.size())).size() == series.values.size(),
            "a smooth curve of another length");
  }
}

void read_chains(std::span<const std::byte> bytes) {
  const RunData run = read_run_with("chains_run/", "rollouts/step_000004.jsonl", bytes);
  require(run.rollouts.size() == 1, "a record that was not read");
  for (const StageData& stage : run.rollouts.front().stages)
    require(stage.image.empty() || stage.image.string().starts_with(scratch_folder().string()), "a foreign picture");
}

void read_evaluated(std::span<const std::byte> bytes) {
  const RunData run = read_run_with("evaluated_run/", "eval/step_000004.jsonl", bytes);
  require(run.before.has_value() && !run.after, "an evaluation that was not read");
}

const std::vector<std::string_view> kReportWords = {
    "\"step\"",           "\"prompt\"", "\"checks\"",   "\"questions\"", "\"name\"",          "\"value\"",
    "\"texts\"",          "\"image\"",  "\"../a.png\"", "\"/a.png\"",    "\"a/../../b.png\"", "\"score\"",
    "\"correct_rounds\"", "[true]",     "\"round\"",    "}\n{"};

}  // namespace

std::vector<Target> report_targets() {
  return {{.name = "report_curves", .read = read_curves, .words = kReportWords},
          {.name = "report_chains", .read = read_chains, .words = kReportWords},
          {.name = "report_evaluation", .read = read_evaluated, .words = kReportWords}};
}

}  // namespace diptych::fuzz
