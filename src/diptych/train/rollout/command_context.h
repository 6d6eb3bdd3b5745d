#pragma once

#include "diptych/distributed/process_group.h"
#include "diptych/reward/command_reward.h"
#include "diptych/rollout/episode.h"

namespace diptych {

/** What the reward's program is to know of this process: its rank, what it is tried on, with a picture such as the
 *  episode paints, and that it is not to be waited for once the user asks for an end. */
CommandContext command_context(const std::function<TaskPrompt()>& first_prompt, const EpisodeOptions& episode,
                               const ProcessGroup& ranks);

}  // namespace diptych
