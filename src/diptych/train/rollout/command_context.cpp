#include "diptych/train/rollout/command_context.h"

#include "diptych/train/run/stop.h"

namespace diptych {

CommandContext command_context(const std::function<TaskPrompt()>& first_prompt, const EpisodeOptions& episode,
                               const ProcessGroup& ranks) {
  return {.place = {.rank = ranks.rank(), .world = ranks.world(), .local_rank = ranks.local_rank()},
          .stop_requested = stop_requested,
          .first_prompt = first_prompt,
          .with_text = writes(episode.program),
          .image_height = static_cast<int>(episode.image_height),
          .image_width = static_cast<int>(episode.image_width)};
}

}  // namespace diptych
