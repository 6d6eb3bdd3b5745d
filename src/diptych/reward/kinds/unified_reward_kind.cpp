#include "diptych/reward/kinds/reward_kind.h"
#include "diptych/reward/protocols/unified_reward.h"

namespace diptych {

std::vector<RewardKind> unified_reward_kind() {
  return {{.name = "unified_reward",
           .order = 130,
           .asks_judge = true,
           .requests = [](const TaskPrompt&) { return RewardRequests{.judge = 1}; },
           .make = [](const RewardSetting& setting) -> RewardFunction {
             return [ask = setting.ask](const std::vector<ScoredPair>& pairs) { return unified_reward(pairs, ask); };
           }}};
}

}  // namespace diptych
