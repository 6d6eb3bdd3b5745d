#include "diptych/report/run_data/run_records.h"

#include <map>
#include <nlohmann/json.hpp>

#include "diptych/base/text_format.h"

namespace diptych {

namespace fs = std::filesystem;
using nlohmann::json;

namespace {

// Values of another type than expected count as absent: a report never fails on a record.
std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

std::optional<double> number_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end() || !found->is_number()) return std::nullopt;
  return found->get<double>();
}

int64_t integer_of(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number_integer() ? found->get<int64_t>() : 0;
}

bool flag_of(const json& object, const char* key, bool otherwise) {
  const auto found = object.find(key);
  return found != object.end() && found->is_boolean() ? found->get<bool>() : otherwise;
}

/** The elements of a list; none where there is no list. */
const json& list_of(const json& object, const char* key) {
  static const json none = json::array();
  const auto found = object.find(key);
  return found != object.end() && found->is_array() ? *found : none;
}

std::string step_name(int64_t step) {
  char name[32];
  std::snprintf(name, sizeof name, "step_%06lld", static_cast<long long>(step));
  return name;
}

// A record names files beside it; a path that leads elsewhere would put foreign files into a page that is passed on.
fs::path picture_path(const fs::path& folder, const std::string& name, const std::string& record, Notes& notes) {
  if (name.empty()) return {};
  const fs::path path = fs::path(name).lexically_normal();
  if (path.is_absolute() || *path.begin() == "..") {
    notes.push_back(cat(record, " names a picture outside its folder, which was left out: ", name));
    return {};
  }
  return folder / path;
}

std::vector<CheckData> checks_of(const json& line) {
  std::map<std::string, std::string> questions;
  for (const json& question : list_of(line, "questions"))
    if (question.is_object()) questions[text_of(question, "id")] = text_of(question, "text");
  std::vector<CheckData> checks;
  for (const json& check : list_of(line, "checks")) {
    if (!check.is_object()) continue;
    const std::string name = text_of(check, "name");
    const auto question = questions.find(name);
    if (const std::optional<double> value = number_of(check, "value"))
      checks.push_back({name, question == questions.end() ? "" : question->second, *value});
  }
  return checks;
}

}  // namespace

EvaluationData read_evaluation(const fs::path& run_folder, int64_t step, Notes& notes) {
  EvaluationData data;
  data.step = step;
  data.grid = run_folder / "eval" / (step_name(step) + ".png");
  const std::string name = cat("eval/", step_name(step), ".jsonl");
  read_sound_lines(
      run_folder / name, name,
      [&](const json& line) {
        EvaluatedLine sample;
        sample.prompt = text_of(line, "prompt");
        sample.thinking = text_of(line, "thinking");
        sample.correct = flag_of(line, "correct", false);
        const json& rounds = list_of(line, "correct_rounds");
        sample.first_correct =
            !rounds.empty() && rounds.front().is_boolean() ? rounds.front().get<bool>() : sample.correct;
        data.lines.push_back(sample);
      },
      notes);
  return data;
}

RolloutData read_rollout(const fs::path& run_folder, int64_t step, Notes& notes) {
  RolloutData data;
  data.step = step;
  const fs::path folder = run_folder / "rollouts";
  const std::string name = cat("rollouts/", step_name(step), ".jsonl");
  read_sound_lines(
      run_folder / name, name,
      [&](const json& line) {
        StageData stage;
        stage.prompt = text_of(line, "prompt");
        stage.group = integer_of(line, "group");
        stage.sample = integer_of(line, "sample");
        stage.round = integer_of(line, "round");
        for (const json& text : list_of(line, "texts"))
          if (text.is_string()) stage.texts.push_back(text.get<std::string>());
        stage.end = text_of(line, "end");
        stage.reply = text_of(line, "reply");
        stage.valid = flag_of(line, "valid", true);
        stage.score = number_of(line, "score");
        stage.score_before = number_of(line, "score_before");
        stage.reward = number_of(line, "reward");
        stage.advantage = number_of(line, "advantage");
        stage.checks = checks_of(line);
        for (const json& source : list_of(line, "sources"))
          if (source.is_string()) stage.sources.push_back(picture_path(folder, source.get<std::string>(), name, notes));
        stage.image = picture_path(folder, text_of(line, "image"), name, notes);
        stage.strip = picture_path(folder, text_of(line, "strip"), name, notes);
        data.stages.push_back(std::move(stage));
      },
      notes);
  return data;
}

}  // namespace diptych
