#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** sources, "check your picture of this request" -> reflection, image, unless the text says to stop. */
std::vector<Episode> review_episode() {
  using enum GivenPart;
  const StageProgram stage = {
      .given = {system_prompt, images, review_prompt}, .write = true, .paint = true, .may_stop = true};
  return {{.order = 70,
           .words = "review",
           .comment = "review (repair it or stop)",
           .program = only({.name = "review", .stages = {stage}})}};
}

}  // namespace diptych
