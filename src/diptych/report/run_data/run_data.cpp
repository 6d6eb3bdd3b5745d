#include "diptych/report/run_data/run_data.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/io/files.h"
#include "diptych/io/json.h"
#include "diptych/report/run_data/run_records.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

constexpr size_t kMostLineNotes = 3;  // damaged lines of a file that are named one by one

std::optional<json> parsed_object(std::string_view text) {
  std::optional<json> value = parse_json(text);
  return value && value->is_object() ? std::move(value) : std::nullopt;
}

void read_metrics(RunData& run) {
  read_sound_lines(
      run.folder / "metrics.jsonl", "metrics.jsonl",
      [&](const json& line) {
        const auto step = line.find("step");
        if (step == line.end() || !step->is_number_integer()) return;
        const int64_t number = step->get<int64_t>();
        run.last_step = std::max(run.last_step, number);
        for (const auto& [name, value] : line.items()) {
          if (name == "step") continue;
          Series& series = run.curves[name];
          if (!series.steps.empty() && number <= series.steps.back()) continue;
          if (value.is_number() && std::isfinite(value.get<double>())) {
            series.steps.push_back(number);
            series.values.push_back(value.get<double>());
          } else if (value.is_null()) {
            series.not_finite.push_back(number);
          }
        }
      },
      run.notes);
}

void read_recipe(RunData& run) {
  const fs::path file = run.folder / "recipe.toml";
  if (!fs::exists(file)) {
    run.notes.push_back("recipe.toml is missing: the report cannot tell what was run");
    return;
  }
  try {
    run.recipe_toml = read_file(file);
    run.recipe = parse_recipe_values(run.recipe_toml, "recipe.toml");
  } catch (const Error& error) {
    run.notes.push_back(cat("recipe.toml cannot be read: ", error.what()));
  }
}

void read_changes(RunData& run) {
  const fs::path file = run.folder / "changes.jsonl";
  if (!fs::exists(file)) return;
  read_sound_lines(
      file, "changes.jsonl",
      [&](const json& line) {
        try {
          run.changes.push_back({.step = line.at("step").get<int64_t>(),
                                 .key = line.at("key").get<std::string>(),
                                 .before = line.at("before").get<std::string>(),
                                 .after = line.at("after").get<std::string>()});
        } catch (const json::exception&) {
          run.notes.push_back("changes.jsonl has a line that is no change of a recipe");
        }
      },
      run.notes);
}

/** The numbers of the files step_NNNNNN.jsonl of a folder, rising. */
std::vector<int64_t> step_files(const fs::path& folder) {
  std::vector<int64_t> steps;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    constexpr std::string_view kStart = "step_", kEnd = ".jsonl";
    if (!name.starts_with(kStart) || !name.ends_with(kEnd)) continue;
    const char* end = name.data() + name.size() - kEnd.size();
    int64_t step = 0;
    const auto parsed = std::from_chars(name.data() + kStart.size(), end, step);
    if (parsed.ec == std::errc() && parsed.ptr == end) steps.push_back(step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

void read_evaluations(RunData& run) {
  const std::vector<int64_t> steps = step_files(run.folder / "eval");
  if (steps.empty()) {
    if (run_kind(run) == "rl" && recipe_number(run.recipe, "eval.prompts", 0) > 0)
      run.notes.push_back("eval/ holds no evaluation yet: no pictures before and after");
    return;
  }
  run.before = read_evaluation(run.folder, steps.front(), run.notes);
  if (steps.size() > 1) run.after = read_evaluation(run.folder, steps.back(), run.notes);
}

void read_rollouts(RunData& run, size_t count) {
  run.recorded_steps = step_files(run.folder / "rollouts");
  if (run.recorded_steps.empty() && recipe_number(run.recipe, "train.record_every", 0) > 0)
    run.notes.push_back("rollouts/ holds no records yet: no chains to show");
  for (const int64_t step : spread_choice(run.recorded_steps, count))
    run.rollouts.push_back(read_rollout(run.folder, step, run.notes));
}

}  // namespace

std::string run_kind(const RunData& run) {
  const std::string kind = recipe_text(run.recipe, "kind");
  return kind.empty() ? "unknown" : kind;
}

std::vector<int64_t> spread_choice(const std::vector<int64_t>& values, size_t count) {
  if (values.size() <= count) return values;
  if (count == 0) return {};
  if (count == 1) return {values.back()};
  std::vector<int64_t> chosen;
  for (size_t i = 0; i < count; ++i) chosen.push_back(values[i * (values.size() - 1) / (count - 1)]);
  return chosen;
}

void read_sound_lines(const fs::path& path, const std::string& shown_name,
                      const std::function<void(const json&)>& visit, Notes& notes) {
  std::string contents;
  try {
    contents = read_file(path);
  } catch (const Error&) {
    notes.push_back(shown_name + " is missing or cannot be read");
    return;
  }
  std::string_view rest = contents;
  std::vector<int64_t> damaged;
  for (int64_t number = 1; rest.find('\n') != rest.npos; ++number) {
    const std::string_view text = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(text.size() + 1);
    if (text.find_first_not_of(" \t\r") == text.npos) continue;
    if (const std::optional<json> value = parsed_object(text))
      visit(*value);
    else
      damaged.push_back(number);
  }
  for (size_t i = 0; i < std::min(damaged.size(), kMostLineNotes); ++i)
    notes.push_back(cat(shown_name, ":", damaged[i], " is no JSON object and was left out"));
  if (damaged.size() > kMostLineNotes)
    notes.push_back(cat(shown_name, ": ", damaged.size() - kMostLineNotes, " more such lines were left out"));
}

RunData read_run(const fs::path& folder, size_t rollouts) {
  std::error_code error;
  if (!fs::exists(folder / "metrics.jsonl", error) && !fs::exists(folder / "recipe.toml", error))
    throw Error(ExitCode::data, {folder.string(), "a run folder",
                                 fs::is_directory(folder, error) ? "a folder without recipe.toml and metrics.jsonl"
                                                                 : "no folder of that name",
                                 "name what `run.dir` was when the run was started"});
  RunData run;
  run.folder = folder;
  const fs::path whole = fs::weakly_canonical(folder, error);
  run.name = whole.filename().string();
  read_recipe(run);
  read_changes(run);
  read_metrics(run);
  if (run.curves.empty() && fs::exists(folder / "metrics.jsonl", error))
    run.notes.push_back("metrics.jsonl holds no rows yet: the run has not finished a step");
  read_evaluations(run);
  read_rollouts(run, rollouts);
  return run;
}

}  // namespace diptych
