#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

/** request -> thinking, image (AlphaGRPO's reasoning text-to-image, UniGRPO's episode). */
std::vector<Episode> think_episode() {
  using enum GivenPart;
  const StageProgram stage = {.given = {system_prompt, request}, .write = true, .paint = true};
  return {{.order = 20,
           .words = "think",
           .comment = "think (reason, then paint)",
           .program = only({.name = "think", .stages = {stage}})}};
}

}  // namespace diptych
