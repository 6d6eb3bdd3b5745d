#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** sources, request -> image. */
std::vector<Episode> edit_episode() {
  using enum GivenPart;
  const StageProgram stage = {.given = {images, request}, .paint = true};
  return {{.order = 30,
           .words = "edit",
           .comment = "edit",
           .program = only({.name = "edit", .stages = {stage}, .edits = true})}};
}

}  // namespace diptych
