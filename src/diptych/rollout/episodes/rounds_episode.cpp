#include <charconv>

#include "diptych/base/text_format.h"
#include "diptych/rollout/episodes/episodes.h"

namespace diptych {

namespace {

constexpr int kMostRounds = 64;

/** 0 for other names. */
int rounds_of(const std::string& name) {
  const std::string prefix = "rounds:";
  if (!name.starts_with(prefix)) return 0;
  int rounds = 0;
  const char* end = name.data() + name.size();
  const auto [stop, failure] = std::from_chars(name.data() + prefix.size(), end, rounds);
  return failure == std::errc{} && stop == end && rounds <= kMostRounds ? rounds : 0;
}

std::optional<EpisodeProgram> rounds_program(const std::string& name) {
  const int rounds = rounds_of(name);
  if (rounds <= 0) return std::nullopt;
  EpisodeProgram program{.name = name, .stages = episode_program("think").stages};
  const StageProgram review = episode_program("review").stages.front();
  program.stages.insert(program.stages.end(), static_cast<size_t>(rounds), review);
  return program;
}

}  // namespace

/** Think, then up to N reviews of the last image, until a text says to stop. */
std::vector<Episode> rounds_episode() {
  return {{.order = 80,
           .words = cat("rounds:N with N from 1 to ", kMostRounds),
           .comment = "rounds:N (think, then up to N reviews)",
           .program = rounds_program}};
}

}  // namespace diptych
