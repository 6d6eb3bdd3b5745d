#include "diptych/reward/task.h"

namespace diptych {

RewardFunction score_each(std::function<Score(const ScoredPair&)> score) {
  return [score = std::move(score)](const std::vector<ScoredPair>& pairs) {
    std::vector<Score> scores;
    for (const ScoredPair& pair : pairs) scores.push_back(score(pair));
    return scores;
  };
}

}  // namespace diptych
