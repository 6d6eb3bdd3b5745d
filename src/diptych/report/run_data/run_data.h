#pragma once
// A run folder as values. Whatever is missing or damaged is left out and named in a list of notes: a report of a run
// that is still being written, or that broke, is wanted most.

#include <filesystem>
#include <functional>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <vector>

#include "diptych/report/html/series.h"
#include "diptych/report/run_data/recipe_values.h"

namespace diptych {

using Notes = std::vector<std::string>;

/** One sample of a held-out evaluation: a line of RUN/eval/step_*.jsonl. */
struct EvaluatedLine {
  std::string prompt;
  std::string thinking;        // empty where the model did not think
  bool correct = false;        // of its last picture
  bool first_correct = false;  // of its first picture, which the grid shows
};

struct EvaluationData {
  int64_t step = 0;
  std::vector<EvaluatedLine> lines;
  std::filesystem::path grid;  // the picture beside it
};

/** An answer to a question about a picture. */
struct CheckData {
  std::string name;
  std::string question;  // empty where the record does not hold it
  double value = 0;
};

/** One stage of a chain: a line of RUN/rollouts/step_*.jsonl. Absent numbers were absent or null. */
struct StageData {
  std::string prompt;
  int64_t group = 0;
  int64_t sample = 0;
  int64_t round = 0;
  std::vector<std::string> texts;
  std::string end;
  std::string reply;
  bool valid = true;
  std::optional<double> score, score_before, reward, advantage;
  std::vector<CheckData> checks;
  std::vector<std::filesystem::path> sources;  // full paths of the pictures that the stage starts from
  std::filesystem::path image;                 // full path; empty: none
  std::filesystem::path strip;                 // denoising frames side by side, likewise
};

struct RolloutData {
  int64_t step = 0;
  std::vector<StageData> stages;
};

/** A line of RUN/changes.jsonl: a key of the recipe that the run was continued with. Values as TOML writes them. */
struct RecipeChangeData {
  int64_t step = 0;
  std::string key, before, after;
};

struct RunData {
  std::filesystem::path folder;
  std::string name;  // of the folder
  std::string recipe_toml;
  RecipeValues recipe;
  std::vector<RecipeChangeData> changes;
  Curves curves;
  int64_t last_step = 0;
  std::optional<EvaluationData> before, after;  // the first and the last evaluation; `after` only if it is another one
  std::vector<int64_t> recorded_steps;          // of RUN/rollouts
  std::vector<RolloutData> rollouts;            // the chosen ones of them
  Notes notes;
};

/** "rl", "sft", "autoencoder" or what else the recipe says; "unknown" without one. */
std::string run_kind(const RunData& run);

/** Reads everything, with at most `rollouts` rollout records: the first, the last, and some between, evenly spread.
 *  Throws Error(data) where the folder is no run folder. */
RunData read_run(const std::filesystem::path& folder, size_t rollouts);

/** Calls visit(value) for the JSON objects of a file. Lines that are none become notes with file and line, a few each
 *  and the number of the others; a last line without its end is still being written and left out. A missing file is a
 *  note too. */
void read_sound_lines(const std::filesystem::path& path, const std::string& shown_name,
                      const std::function<void(const nlohmann::json&)>& visit, Notes& notes);

/** `count` of the values, evenly spread, with the first and the last; only the last for a count of 1. */
std::vector<int64_t> spread_choice(const std::vector<int64_t>& values, size_t count);

}  // namespace diptych
