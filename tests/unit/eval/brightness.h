#pragma once

#include <numeric>

#include "diptych/reward/task.h"

namespace diptych {

/** A reward that needs no world: mean of the bytes of the last picture. */
inline RewardFunction brightness() {
  return score_each([](const ScoredPair& pair) {
    const std::vector<uint8_t>& bytes = pair.candidate->images.back().pixels;
    Score score;
    score.value = std::accumulate(bytes.begin(), bytes.end(), 0.0) / (255.0 * static_cast<double>(bytes.size()));
    return score;
  });
}

}  // namespace diptych
