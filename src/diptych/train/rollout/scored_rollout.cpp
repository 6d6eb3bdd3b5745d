#include "diptych/train/rollout/scored_rollout.h"

#include "diptych/base/stopwatch.h"
#include "diptych/train/rollout/rollout_exchange.h"
#include "diptych/train/run/ranks.h"
#include "diptych/train/run/stop.h"

namespace diptych {

GiveUp give_up_of(Judge* judge) {
  if (judge == nullptr) return {};
  return [judge] { judge->stop(); };
}

std::vector<EpisodePrompt> episode_prompts(const std::vector<TaskPrompt>& prompts, uint64_t draw) {
  std::vector<EpisodePrompt> episodes;
  for (size_t i = 0; i < prompts.size(); ++i)
    episodes.push_back({prompts[i].text, draw * prompts.size() + i, prompts[i].sources});
  return episodes;
}

RolloutRequest step_request(const StepInput& input, std::vector<EpisodePrompt> episodes) {
  return {.prompts = std::move(episodes),
          .group_size = input.recipe.train.group_size,
          .options = input.episode,
          .seed = static_cast<uint64_t>(input.recipe.run.seed),
          .step = input.step};
}

RewardedRollout sample_scored(const StepInput& input, std::vector<TaskPrompt> prompts, RolloutRequest request,
                              MetricRow& row) {
  const std::vector<EpisodePrompt> episodes = std::move(request.prompts);
  const std::vector<size_t> dealt = dealt_episodes(episodes, input.ranks);
  std::vector<TaskPrompt> own_prompts;
  request.prompts.clear();
  for (const size_t i : dealt) {
    own_prompts.push_back(prompts[i]);
    request.prompts.push_back(episodes[i]);
  }
  RewardedRollout step;
  step.prompts = std::move(prompts);
  together(input.ranks, "sampling and scoring", [&] {
    const Stopwatch started;
    RewardQueue queue(input.reward, own_prompts, /*overlap=*/input.judge != nullptr, give_up_of(input.judge));
    request.done = [&](const Rollout& so_far, size_t begin, size_t end) {
      queue.submit(so_far, begin, end);
      stop_if_requested();
    };
    step.rollout = roll_out(input.folder.model, input.folder.tokenizer, request);
    row["time/rollout"] += started.seconds();
    const Stopwatch waiting;
    step.scores = queue.collect();
    row["time/reward"] += waiting.seconds();
  });
  exchange_stages(input.ranks, dealt, static_cast<int64_t>(episodes.size()), step.rollout, step.scores);
  return step;
}

}  // namespace diptych
