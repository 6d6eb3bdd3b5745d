#include "diptych/rollout/program.h"

#include <algorithm>
#include <charconv>

#include "diptych/base/error.h"

namespace diptych {

namespace {

constexpr int kMostRounds = 64;

const StageProgram kThink = {{GivenPart::system_prompt, GivenPart::request}, true, true, false};
const StageProgram kReview = {
    {GivenPart::system_prompt, GivenPart::images, GivenPart::review_prompt}, true, true, /*may_stop=*/true};

int rounds_of(const std::string& name) {
  const std::string prefix = "rounds:";
  if (!name.starts_with(prefix)) return 0;
  int rounds = 0;
  const char* end = name.data() + name.size();
  const auto [stop, failure] = std::from_chars(name.data() + prefix.size(), end, rounds);
  return failure == std::errc{} && stop == end && rounds <= kMostRounds ? rounds : 0;
}

}  // namespace

EpisodeProgram episode_program(const std::string& name) {
  using enum GivenPart;
  if (name == "t2i") return {name, {{{request}, false, true, false}}};
  if (name == "think") return {name, {kThink}};
  if (name == "edit") return {name, {{{images, request}, false, true, false}}};
  if (name == "edit_think") return {name, {{{system_prompt, images, request}, true, true, false}}};
  if (name == "understand") return {name, {{{images, request}, true, false, false}}};
  if (name == "reflect") return {name, {{{system_prompt, images, reflection_prompt}, true, true, false}}};
  if (name == "review") return {name, {kReview}};
  if (const int rounds = rounds_of(name); rounds > 0) {
    EpisodeProgram program{name, {kThink}};
    program.stages.insert(program.stages.end(), static_cast<size_t>(rounds), kReview);
    return program;
  }
  throw Error(ExitCode::config,
              {"episode", "t2i, think, edit, edit_think, understand, reflect, review or rounds:N with N from 1 to 64",
               "'" + name + "'", ""});
}

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
