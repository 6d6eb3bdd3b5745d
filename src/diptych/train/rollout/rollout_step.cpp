#include "diptych/train/rollout/rollout_step.h"

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

Rollout sample_scored(const StepInput& input, const std::vector<TaskPrompt>& prompts,
                      const std::vector<EpisodePrompt>& episodes, int64_t group_size, const EpisodeOptions& options,
                      std::vector<Score>& scores, MetricRow& row) {
  const std::vector<size_t> dealt = dealt_episodes(episodes, input.ranks);
  std::vector<TaskPrompt> own_prompts;
  std::vector<EpisodePrompt> own_episodes;
  for (const size_t i : dealt) {
    own_prompts.push_back(prompts[i]);
    own_episodes.push_back(episodes[i]);
  }
  Rollout rollout;
  together(input.ranks, "sampling and scoring", [&] {
    const Stopwatch started;
    RewardQueue queue(input.reward, own_prompts, /*overlap=*/input.judge != nullptr, give_up_of(input.judge));
    rollout = roll_out(input.folder.model, input.folder.tokenizer, own_episodes, group_size, options,
                       static_cast<uint64_t>(input.recipe.run.seed), input.step,
                       [&](const Rollout& so_far, size_t begin, size_t end) {
                         queue.submit(so_far, begin, end);
                         stop_if_requested();
                       });
    row["time/rollout"] += started.seconds();
    const Stopwatch waiting;
    scores = queue.collect();
    row["time/reward"] += waiting.seconds();
  });
  exchange_stages(input.ranks, dealt, static_cast<int64_t>(episodes.size()), rollout, scores);
  return rollout;
}

RewardedRollout plain_step(const StepInput& input, MetricRow& row) {
  RewardedRollout step;
  step.prompts = input.prompts(input.step);
  step.rollout = sample_scored(input, step.prompts, episode_prompts(step.prompts, input.step),
                               input.recipe.train.group_size, input.episode, step.scores, row);
  check_missing(step.scores, input.recipe.reward.max_missing);
  reward_each_stage(step);
  add_advantages(input.recipe, step);
  return step;
}

RewardedRollout rollout_step(const StepInput& input, MetricRow& row) {
  if (input.episode.program.name == "reflect") return refinement_step(input, row);
  if (input.episode.program.stages.size() > 1) return rounds_step(input, row);
  return plain_step(input, row);
}

}  // namespace diptych
