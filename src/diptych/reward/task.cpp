#include "diptych/reward/task.h"
#include "diptych/shapes/world/render.h"

#include <algorithm>
#include <numeric>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/format_reward.h"
#include "diptych/reward/shapes_reward.h"

namespace diptych {

namespace {

Score brightness(const Candidate& candidate) {
  Score score;
  if (candidate.images.empty()) {
    score.status = ScoreStatus::failed;
    return score;
  }
  const std::vector<uint8_t>& bytes = candidate.images.back().pixels;
  const uint64_t sum = std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
  score.value = static_cast<double>(sum) / (255.0 * static_cast<double>(bytes.size()));
  return score;
}

[[noreturn]] void cannot_verify(const std::string& kind, const std::string& expected, const TaskPrompt& prompt) {
  throw Error(ExitCode::config, {"reward.kind = \"" + kind + "\"", expected, "the prompt '" + prompt.text + "'",
                                 "choose another reward, or prompts of the shapes world"});
}

Score verified(const std::string& kind, const ScoredPair& pair) {
  const TaskPrompt& prompt = *pair.prompt;
  const shapes::World world;
  if (kind == "shapes_edit" || kind == "shapes_edit_strict") {
    if (!prompt.edit) cannot_verify(kind, "edits of the shapes world, which the exact verifier can check", prompt);
    return shapes_edit_reward(*prompt.edit, world, *pair.candidate, kind == "shapes_edit_strict");
  }
  if (!prompt.request) {
    const std::string edits = prompt.edit ? " (edits are checked by shapes_edit)" : "";
    cannot_verify(kind, "prompts of the shapes world, which the exact verifier can check" + edits, prompt);
  }
  return shapes_reward(*prompt.request, world, *pair.candidate,
                       shapes_reward_kind(kind.substr(std::string("shapes_").size())));
}

Score score_one(const std::string& kind, const ScoredPair& pair) {
  if (kind == "brightness") return brightness(*pair.candidate);
  if (kind == "format_think") return format_reward(*pair.candidate, FormatRule::think);
  if (kind == "format_think_answer") return format_reward(*pair.candidate, FormatRule::think_answer);
  return verified(kind, pair);
}

}  // namespace

const std::vector<std::string>& plain_reward_kinds() {
  static const std::vector<std::string> kinds = {"shapes_strict",   "shapes_soft",         "shapes_mixed",
                                                 "shapes_dvreward", "shapes_edit",         "shapes_edit_strict",
                                                 "format_think",    "format_think_answer", "brightness"};
  return kinds;
}

RewardFunction make_reward(const std::string& kind) {
  const std::vector<std::string>& known = plain_reward_kinds();
  if (std::find(known.begin(), known.end(), kind) == known.end())
    throw Error(ExitCode::config, {"reward.kind", join(known, ", "), "'" + kind + "'", ""});
  return [kind](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> scores;
    for (const ScoredPair& pair : pairs) scores.push_back(score_one(kind, pair));
    return scores;
  };
}

TaskPrompt shapes_task(const shapes::Prompt& prompt) {
  TaskPrompt task;
  task.text = prompt.text;
  task.family = prompt.family;
  task.implicit = prompt.implicit;
  task.request = prompt.request;
  return task;
}

TaskPrompt edit_task(const shapes::EditTask& edit, const shapes::World& world) {
  TaskPrompt prompt;
  prompt.text = edit.text;
  prompt.family = std::string(shapes::kEditKindNames[static_cast<size_t>(edit.edit.kind)]);
  prompt.sources = {shapes::render(edit.source, world)};
  prompt.edit = edit;
  return prompt;
}

}  // namespace diptych
