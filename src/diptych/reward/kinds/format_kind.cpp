// The form of the sampled texts.

#include "diptych/reward/format_reward.h"
#include "diptych/reward/kinds/reward_kind.h"

namespace diptych {

namespace {

RewardKind format_kind_of(const std::string& name, int order, FormatRule rule) {
  return {.name = name, .order = order, .make = [rule](const RewardSetting&) {
            return score_each([rule](const ScoredPair& pair) { return format_reward(*pair.candidate, rule); });
          }};
}

}  // namespace

std::vector<RewardKind> format_kind() {
  return {format_kind_of("format_think", 70, FormatRule::think),
          format_kind_of("format_think_answer", 80, FormatRule::think_answer)};
}

}  // namespace diptych
