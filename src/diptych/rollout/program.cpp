#include "diptych/rollout/program.h"

#include <algorithm>

namespace diptych {

bool needs_images(const EpisodeProgram& program) {
  const std::vector<GivenPart>& given = program.stages.front().given;
  return std::find(given.begin(), given.end(), GivenPart::images) != given.end();
}

bool writes(const EpisodeProgram& program) {
  return std::any_of(program.stages.begin(), program.stages.end(), [](const auto& stage) { return stage.write; });
}

bool paints(const EpisodeProgram& program) {
  return std::any_of(program.stages.begin(), program.stages.end(), [](const auto& stage) { return stage.paint; });
}

}  // namespace diptych
