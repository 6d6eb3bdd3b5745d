#include "diptych/reward/shapes_reward.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
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

}  // namespace

ShapesRewardKind shapes_reward_kind(std::string_view name) {
  if (name == "strict") return ShapesRewardKind::strict;
  if (name == "soft") return ShapesRewardKind::soft;
  if (name == "mixed") return ShapesRewardKind::mixed;
  if (name == "dvreward") return ShapesRewardKind::dvreward;
  throw Error(ExitCode::config, {.where = "kind of the shapes reward",
                                 .expected = "strict, soft, mixed or dvreward",
                                 .got = std::string(name),
                                 .hint = ""});
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

}  // namespace diptych
