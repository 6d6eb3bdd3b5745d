#include "diptych/eval/benchmarks/shapes_world.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/shapes_reward.h"

namespace diptych {

shapes::Split split_named(const std::string& name) {
  if (name == "train") return shapes::Split::train;
  return name == "validation" ? shapes::Split::validation : shapes::Split::test;
}

void check_evaluated_size(int64_t pixels) {
  const int canvas = shapes::World{}.canvas;
  if (pixels == canvas) return;
  throw Error(ExitCode::config, {"rollout.image_size", cat(canvas, ", the canvas of the shapes world, to evaluate on"),
                                 cat(pixels), "or no evaluation: eval.prompts = 0 and eval.edits = 0"});
}

bool picture_is_right(const TaskPrompt& prompt, const Candidate& candidate) {
  static const RewardFunction strict = exact_reward(ShapesRewardKind::strict);
  return strict({{&prompt, &candidate}}).front().value.value_or(0) == 1.0;
}

}  // namespace diptych
