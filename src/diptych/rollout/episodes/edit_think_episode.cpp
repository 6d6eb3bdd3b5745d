#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** sources, request -> thinking, image. */
std::vector<Episode> edit_think_episode() {
  using enum GivenPart;
  const StageProgram stage = {.given = {system_prompt, images, request}, .write = true, .paint = true};
  return {{.order = 40,
           .words = "edit_think",
           .comment = "edit_think",
           .program = only({.name = "edit_think", .stages = {stage}, .edits = true})}};
}

}  // namespace diptych
