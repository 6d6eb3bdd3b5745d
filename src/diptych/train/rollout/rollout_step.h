#pragma once
// One rollout step of a recipe: prompts, episodes, scores, advantages.

#include "diptych/distributed/process_group.h"
#include "diptych/model/folder/folder.h"
#include "diptych/reward/judge/judge.h"
#include "diptych/train/rollout/prompt_stream.h"
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

/** The step that the recipe's episode asks for: refinement_step for reflect, rounds_step for rounds:N, else
 *  plain_step. Adds "time/rollout" and "time/reward" to the row. Throws Error(reward) when too many scores are missing.
 */
RewardedRollout rollout_step(const StepInput& input, MetricRow& row);

/** Samples group_size episodes of one stage per prompt; the reward of a stage is its score. */
RewardedRollout plain_step(const StepInput& input, MetricRow& row);

/** Self-reflective refinement (AlphaGRPO, alphagrpo.md 5.1): K pictures per prompt from the current policy; one of them
 *  is told to have failed, and group_size reflections with refined pictures are sampled behind it. The reward is the
 *  score of the refined picture, rectified (algorithm/refinement.h). Prompts none of whose refinements improve on
 *  anything are drawn anew, up to refine.draws times. */
RewardedRollout refinement_step(const StepInput& input, MetricRow& row);

/** Real chains: think and paint, then review until the model stops or the rounds are over. Every stage is rewarded for
 *  what it changes (algorithm/round_credit.h), among the stages of the same prompt and round. */
RewardedRollout rounds_step(const StepInput& input, MetricRow& row);

/** Prompts as episodes: prompt i of the draw is occurrence draw * count + i of the run. */
std::vector<EpisodePrompt> episode_prompts(const std::vector<TaskPrompt>& prompts, uint64_t draw);

/** Samples and scores the prompts dealt to this rank, and joins them with the other ranks' (exchange_stages). The
 *  seconds are added to the row. An Error on one rank is thrown on all. */
Rollout sample_scored(const StepInput& input, const std::vector<TaskPrompt>& prompts,
                      const std::vector<EpisodePrompt>& episodes, int64_t group_size, const EpisodeOptions& options,
                      std::vector<Score>& scores, MetricRow& row);

}  // namespace diptych
