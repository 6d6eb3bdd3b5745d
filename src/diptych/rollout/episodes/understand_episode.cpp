#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** sources, request -> text. */
std::vector<Episode> understand_episode() {
  using enum GivenPart;
  const StageProgram stage = {.given = {images, request}, .write = true};
  return {{.order = 50, .words = "understand", .program = only({.name = "understand", .stages = {stage}})}};
}

}  // namespace diptych
