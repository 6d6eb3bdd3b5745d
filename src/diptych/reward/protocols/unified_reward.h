#pragma once
// UnifiedReward (arXiv 2503.05236), pointwise form of versions 1 and 1.5.

#include <optional>
#include <string_view>
#include <vector>

#include "diptych/reward/chat/chat.h"
#include "diptych/reward/task.h"

namespace diptych {

/** The rating behind the first "Final Score" that a number follows, markup and capitals aside; nullopt if there is
 * none, or if it is no rating from 1 to 5. */
std::optional<double> unified_reward_rating(std::string_view reply);

/** rating / 5, in [0.2, 1]. One request for each candidate's last image: the image at 512 x 512 as JPEG of quality 85,
 *  then upstream's text; temperature 0, 512 tokens. Check: "rating". A reply without a rating masks the candidate; the
 *  FlowGRPO family counts it as 0. */
std::vector<Score> unified_reward(const std::vector<ScoredPair>& pairs, const ChatFunction& ask);

}  // namespace diptych
