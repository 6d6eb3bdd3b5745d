#pragma once
// Reward of the shapes world, from its exact verifier.

#include <string_view>

#include "diptych/reward/candidate.h"
#include "diptych/reward/score.h"
#include "diptych/shapes/request.h"

namespace diptych {

enum class ShapesRewardKind {
  strict,  // 1 if the picture is correct, else 0
  soft,    // mean of the soft answers to all atomic questions of the request, in [0, 1]
  mixed,   // mean of strict and soft
};

/** The kind named "strict", "soft" or "mixed". Throws Error(config) for any other name. */
ShapesRewardKind shapes_reward_kind(std::string_view name);

/** Scores the candidate's last image. Checks: "strict", "soft", then one per question, named by its id. `raw_reply`
 *  holds the verifier's faults, one a line. A candidate without an image fails. */
Score shapes_reward(const shapes::Request& request, const shapes::World& world, const Candidate& candidate,
                    ShapesRewardKind kind);

}  // namespace diptych
