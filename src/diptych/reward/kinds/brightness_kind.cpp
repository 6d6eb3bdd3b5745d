// A trivial reward, to see that training works.

#include <numeric>

#include "diptych/reward/kinds/reward_kind.h"

namespace diptych {

namespace {

/** Mean of the bytes of the last picture, in [0, 1]. */
Score brightness(const ScoredPair& pair) {
  Score score;
  if (pair.candidate->images.empty()) {
    score.status = ScoreStatus::failed;
    return score;
  }
  const std::vector<uint8_t>& bytes = pair.candidate->images.back().pixels;
  const uint64_t sum = std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
  score.value = static_cast<double>(sum) / (255.0 * static_cast<double>(bytes.size()));
  return score;
}

}  // namespace

std::vector<RewardKind> brightness_kind() {
  return {{.name = "brightness",
           .order = 90,
           .warning = "reward.kind = \"brightness\" is a stand-in that wants bright pictures, whatever the prompt; "
                      "set reward.kind (docs/rewards.md)",
           .make = [](const RewardSetting&) { return score_each(brightness); }}};
}

}  // namespace diptych
