#include "diptych/reward/shapes_reward.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/shapes_task.h"
#include "diptych/shapes/verify/verify.h"

namespace diptych {

namespace {

double value_of(ShapesRewardKind kind, double strict, double soft, double dvreward) {
  switch (kind) {
    case ShapesRewardKind::strict:
      return strict;
    case ShapesRewardKind::soft:
      return soft;
    case ShapesRewardKind::mixed:
      return 0.5 * (strict + soft);
    case ShapesRewardKind::dvreward:
      return dvreward;
  }
  return strict;
}

Score without_image() {
  return {.value = std::nullopt, .checks = {}, .status = ScoreStatus::failed, .raw_reply = "no image to score"};
}

[[noreturn]] void cannot_verify(const std::string& kind, const std::string& expected, const TaskPrompt& prompt) {
  throw Error(ExitCode::config, {"reward.kind = \"" + kind + "\"", expected, "the prompt '" + prompt.text + "'",
                                 "choose another reward, or prompts of the shapes world"});
}

}  // namespace

std::string reward_name(ShapesRewardKind kind) {
  switch (kind) {
    case ShapesRewardKind::strict:
      return "shapes_strict";
    case ShapesRewardKind::soft:
      return "shapes_soft";
    case ShapesRewardKind::mixed:
      return "shapes_mixed";
    case ShapesRewardKind::dvreward:
      return "shapes_dvreward";
  }
  return "";
}

std::string edit_reward_name(bool strict) {
  return strict ? "shapes_edit_strict" : "shapes_edit";
}

Score shapes_reward(const shapes::Request& request, const shapes::World& world, const Candidate& candidate,
                    ShapesRewardKind kind) {
  if (candidate.images.empty()) return without_image();
  const shapes::Verdict verdict = shapes::verify(candidate.images.back(), request, world);

  double total = 0;
  for (const shapes::Answer& answer : verdict.answers) total += answer.probability;
  const double strict = verdict.correct ? 1 : 0;
  const double soft = total / static_cast<double>(verdict.answers.size());

  Score score;
  score.value = value_of(kind, strict, soft, verdict.soft);
  score.checks = {{"strict", strict}, {"soft", soft}};
  for (const shapes::Answer& answer : verdict.answers) score.checks.push_back({answer.question, answer.probability});
  score.raw_reply = join(verdict.reasons, "\n");
  return score;
}

Score shapes_edit_reward(const shapes::EditTask& task, const shapes::World& world, const Candidate& candidate,
                         bool strict) {
  if (candidate.images.empty()) return without_image();
  const shapes::EditVerdict verdict = shapes::verify_edit(candidate.images.back(), task, world);
  const double correct = verdict.correct ? 1 : 0;
  Score score;
  score.value = strict ? correct : verdict.overall();
  score.checks = {{"strict", correct},
                  {"overall", verdict.overall()},
                  {"followed", verdict.followed},
                  {"preserved", verdict.preserved},
                  {"quality", verdict.quality}};
  score.raw_reply = join(verdict.reasons, "\n");
  return score;
}

RewardFunction exact_reward(ShapesRewardKind kind) {
  return score_each([kind](const ScoredPair& pair) {
    const shapes::Request* request = shapes_request(*pair.prompt);
    const std::string edits = shapes_edit(*pair.prompt) ? " (edits are checked by shapes_edit)" : "";
    if (!request)
      cannot_verify(reward_name(kind), "prompts of the shapes world, which the exact verifier can check" + edits,
                    *pair.prompt);
    return shapes_reward(*request, shapes::World(), *pair.candidate, kind);
  });
}

RewardFunction exact_edit_reward(bool strict) {
  return score_each([strict](const ScoredPair& pair) {
    const shapes::EditTask* edit = shapes_edit(*pair.prompt);
    if (!edit)
      cannot_verify(edit_reward_name(strict), "edits of the shapes world, which the exact verifier can check",
                    *pair.prompt);
    return shapes_edit_reward(*edit, shapes::World(), *pair.candidate, strict);
  });
}

}  // namespace diptych
