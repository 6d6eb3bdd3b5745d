// What the exact verifier of the shapes world says of pictures made from its prompts, and of edits.

#include "diptych/base/config/require.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/kinds/reward_kind.h"
#include "diptych/reward/shapes_reward.h"
#include "diptych/shapes/world/scene.h"

namespace diptych {

namespace {

void check_verified_run(const std::string& kind, bool of_edits, const RewardedRun& run) {
  const std::string got = '"' + kind + '"';
  require(run.foreign_prompts.empty(), "reward.kind", "a reward for " + run.foreign_prompts, got,
          "the exact verifier knows the shapes world's own prompts only");
  require(!of_edits || run.edits, "reward.kind", "a reward for episode " + run.episode + ", which edits nothing", got,
          "edits need rollout.episode = \"edit\" and prompts.source = \"shapes_edits\"");
  require(of_edits || !run.edits, "reward.kind", "a reward for edits, such as \"shapes_edit\"", got, "");
  require(run.image_size == shapes::World{}.canvas, "rollout.image_size",
          cat(shapes::World{}.canvas, ", the canvas of the shapes world"), cat(run.image_size),
          "another size needs another reward, and eval.prompts = 0");
}

RewardKind verified_kind(const std::string& name, int order, bool of_edits, const RewardFunction& reward) {
  return {.name = name,
          .order = order,
          .edits_only = of_edits,
          .check_run = [name, of_edits](const RewardedRun& run) { check_verified_run(name, of_edits, run); },
          .make = [reward](const RewardSetting&) { return reward; }};
}

RewardKind picture_kind(int order, ShapesRewardKind kind) {
  return verified_kind(reward_name(kind), order, /*of_edits=*/false, exact_reward(kind));
}

RewardKind edit_kind(int order, bool strict) {
  return verified_kind(edit_reward_name(strict), order, /*of_edits=*/true, exact_edit_reward(strict));
}

}  // namespace

std::vector<RewardKind> shapes_kind() {
  return {picture_kind(10, ShapesRewardKind::strict),
          picture_kind(20, ShapesRewardKind::soft),
          picture_kind(30, ShapesRewardKind::mixed),
          picture_kind(40, ShapesRewardKind::dvreward),
          edit_kind(50, /*strict=*/false),
          edit_kind(60, /*strict=*/true)};
}

}  // namespace diptych
