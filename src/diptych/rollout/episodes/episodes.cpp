#include "diptych/rollout/episodes/episodes.h"

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

std::string words_of_all() {
  std::vector<std::string> words;
  for (const Episode& episode : episodes()) words.push_back(episode.words);
  const std::string last = words.back();
  words.pop_back();
  return join(words, ", ") + " or " + last;
}

}  // namespace

std::function<std::optional<EpisodeProgram>(const std::string& name)> only(EpisodeProgram program) {
  return [program = std::move(program)](const std::string& name) {
    return name == program.name ? std::optional(program) : std::nullopt;
  };
}

EpisodeProgram episode_program(const std::string& name) {
  for (const Episode& episode : episodes())
    if (std::optional<EpisodeProgram> program = episode.program(name)) return *std::move(program);
  throw Error(ExitCode::config, {"episode", words_of_all(), "'" + name + "'", ""});
}

const std::string& episode_comment() {
  static const std::string comment = [] {
    std::vector<std::string> comments;
    for (const Episode& episode : episodes())
      if (!episode.comment.empty()) comments.push_back(episode.comment);
    return join(comments, ", ");
  }();
  return comment;
}

}  // namespace diptych
