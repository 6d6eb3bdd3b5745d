#include "diptych/reward/format_reward.h"

#include <algorithm>

#include "diptych/text/think.h"

namespace diptych {

bool has_think_tags(std::string_view text) {
  constexpr std::string_view kOpen = "<think>", kClose = "</think>";
  return text.starts_with(kOpen) && text.ends_with(kClose) && !is_empty_thought(parse_think(text));
}

bool has_think_answer(std::string_view text) {
  const ThinkText parts = parse_think(text);
  return parts.well_formed && !is_empty_thought(parts) && !parts.answer.empty();
}

Score format_reward(const Candidate& candidate, FormatRule rule) {
  const auto kept = std::count_if(candidate.texts.begin(), candidate.texts.end(),
                                  rule == FormatRule::think ? has_think_tags : has_think_answer);
  Score score;
  score.value = candidate.texts.empty() ? 0 : static_cast<double>(kept) / static_cast<double>(candidate.texts.size());
  return score;
}

}  // namespace diptych
