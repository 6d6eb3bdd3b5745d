#pragma once
// Reward of the shapes world, from its exact verifier.

#include <string>

#include "diptych/reward/candidate.h"
#include "diptych/reward/score.h"
#include "diptych/reward/task.h"
#include "diptych/shapes/edits/edit.h"
#include "diptych/shapes/world/request.h"

namespace diptych {

enum class ShapesRewardKind {
  strict,    // 1 if the picture is correct, else 0
  soft,      // mean of the soft answers to all atomic questions of the request, in [0, 1]
  mixed,     // mean of strict and soft
  dvreward,  // Verdict::soft: DVReward with the verifier as its judge
};

/** What recipes call them: "shapes_soft", "shapes_edit" and so on. */
std::string reward_name(ShapesRewardKind kind);
std::string edit_reward_name(bool strict);

/** Scores the candidate's last image. Checks: "strict", "soft", then one per question, named by its id. `raw_reply`
 *  holds the verifier's faults, one a line. A candidate without an image fails. */
Score shapes_reward(const shapes::Request& request, const shapes::World& world, const Candidate& candidate,
                    ShapesRewardKind kind);

/** Scores the candidate's last image as the edit of the task's picture: EditVerdict::overall(), or under `strict` 1 if
 *  the edit is correct and else 0. Checks: "strict", "overall", "followed", "preserved", "quality". A candidate without
 *  an image fails. */
Score shapes_edit_reward(const shapes::EditTask& task, const shapes::World& world, const Candidate& candidate,
                         bool strict);

/** shapes_reward as a reward of prompts by shapes_task. It throws Error(config) for other prompts. */
RewardFunction exact_reward(ShapesRewardKind kind);

/** shapes_edit_reward as a reward of prompts by edit_task. It throws Error(config) for other prompts. */
RewardFunction exact_edit_reward(bool strict);

}  // namespace diptych
