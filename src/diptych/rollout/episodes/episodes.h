#pragma once
// Episodes by their names. Each stands in a file of its own, NAME_episode.cpp; cmake/list.cmake collects them.

#include <functional>
#include <optional>

#include "diptych/rollout/program.h"

namespace diptych {

/** An episode, or several that differ in a number in their name. */
struct Episode {
  int order = 0;      // its place in messages
  std::string words;  // what errors call it: "think", "rounds:N with N from 1 to 64"
  std::string comment =
      {};  // the same beside the key rollout.episode; empty: not for training, since it paints nothing
  /** The program of that name; nullopt where another episode has it. */
  std::function<std::optional<EpisodeProgram>(const std::string& name)> program;
};

/** Episode::program of an episode with one name. */
std::function<std::optional<EpisodeProgram>(const std::string& name)> only(EpisodeProgram program);

/** The program of that name. Throws Error(config) for a name that no episode has. */
EpisodeProgram episode_program(const std::string& name);

/** The comment of the key rollout.episode. */
const std::string& episode_comment();

/** The entries of all files of this folder. */
std::vector<Episode> listed_episodes();

}  // namespace diptych
