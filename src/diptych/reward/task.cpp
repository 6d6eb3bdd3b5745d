#include "diptych/reward/task.h"

#include <numeric>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"
#include "diptych/reward/shapes_reward.h"

namespace diptych {

namespace {

Score brightness(const Candidate& candidate) {
  Score score;
  if (candidate.images.empty()) {
    score.status = ScoreStatus::failed;
    return score;
  }
  const std::vector<uint8_t>& bytes = candidate.images.back().pixels;
  const uint64_t sum = std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
  score.value = static_cast<double>(sum) / (255.0 * static_cast<double>(bytes.size()));
  return score;
}

Score verified(const ScoredPair& pair, ShapesRewardKind kind) {
  if (!pair.prompt->request)
    throw Error(ExitCode::config, {"reward.kind", "prompts of the shapes world, which the exact verifier can check",
                                   "the prompt '" + pair.prompt->text + "' from a file",
                                   "choose another reward, or prompts.source = \"shapes\""});
  return shapes_reward(*pair.prompt->request, shapes::World{}, *pair.candidate, kind);
}

}  // namespace

const std::vector<std::string>& reward_kinds() {
  static const std::vector<std::string> kinds = {"shapes_strict", "shapes_soft", "shapes_mixed", "brightness"};
  return kinds;
}

RewardFunction make_reward(const std::string& kind) {
  const auto each = [](auto score_one) {
    return [score_one](const std::vector<ScoredPair>& pairs) {
      std::vector<Score> scores;
      for (const ScoredPair& pair : pairs) scores.push_back(score_one(pair));
      return scores;
    };
  };
  if (kind == "brightness") return each([](const ScoredPair& pair) { return brightness(*pair.candidate); });
  const std::string prefix = "shapes_";
  if (kind.starts_with(prefix)) {
    const ShapesRewardKind shapes_kind = shapes_reward_kind(kind.substr(prefix.size()));
    return each([shapes_kind](const ScoredPair& pair) { return verified(pair, shapes_kind); });
  }
  throw Error(ExitCode::config, {"reward.kind", join(reward_kinds(), ", "), "'" + kind + "'", ""});
}

TaskPrompt shapes_task(const shapes::Prompt& prompt) {
  return {prompt.text, prompt.family, prompt.implicit, prompt.request};
}

}  // namespace diptych
