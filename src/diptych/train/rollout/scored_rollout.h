#pragma once
// What every kind of rollout step does: sample episodes, and score what they make.

#include "diptych/distributed/process_group.h"
#include "diptych/model/folder/folder.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/train/prompts/prompt_sources.h"
#include "diptych/train/rollout/reward_queue.h"
#include "diptych/train/rollout/rewarded_rollout.h"
#include "diptych/train/run/metrics.h"

namespace diptych {

/** What the steps of a run share. `episode` holds the step's SDE window. */
struct StepInput {
  const RlRecipe& recipe;
  const ModelFolder& folder;
  const EpisodeOptions& episode;
  const PromptStream& prompts;
  const RewardFunction& reward;
  ProcessGroup& ranks;     // prompts are dealt over them
  Judge* judge = nullptr;  // that the reward asks, if any
  uint64_t step = 0;
};

/** Of a reward that asks this judge, if any. */
GiveUp give_up_of(Judge* judge);

/** Prompts as episodes: prompt i of the draw is occurrence draw * count + i of the run. */
std::vector<EpisodePrompt> episode_prompts(const std::vector<TaskPrompt>& prompts, uint64_t draw);

/** Of train.group_size of the recipe's episodes for each prompt. */
RolloutRequest step_request(const StepInput& input, std::vector<EpisodePrompt> episodes);

/** Samples and scores those prompts of the request that are dealt to this rank, and joins them with the other ranks'
 *  (exchange_stages). prompts[i] is what request.prompts[i] is scored by; request.done is set here. The result has its
 *  prompts, rollout and scores, and no rewards yet. The seconds are added to "time/rollout" and "time/reward" of the
 * row. An Error on one rank is thrown on all. */
RewardedRollout sample_scored(const StepInput& input, std::vector<TaskPrompt> prompts, RolloutRequest request,
                              MetricRow& row);

}  // namespace diptych
