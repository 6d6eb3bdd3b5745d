#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** sources, "your picture of this request failed" -> reflection, image. */
std::vector<Episode> reflect_episode() {
  using enum GivenPart;
  const StageProgram stage = {.given = {system_prompt, images, reflection_prompt}, .write = true, .paint = true};
  return {{.order = 60,
           .words = "reflect",
           .comment = "reflect (look at a picture that failed, repair it)",
           .program = only({.name = "reflect", .stages = {stage}})}};
}

}  // namespace diptych
