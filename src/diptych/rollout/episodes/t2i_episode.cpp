#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** request -> image. */
std::vector<Episode> t2i_episode() {
  using enum GivenPart;
  const StageProgram stage = {.given = {request}, .paint = true};
  return {{.order = 10, .words = "t2i", .comment = "t2i", .program = only({.name = "t2i", .stages = {stage}})}};
}

}  // namespace diptych
