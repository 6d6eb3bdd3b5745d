#pragma once
// A rollout that several processes sampled, as each of them sees it.

#include "diptych/distributed/process_group.h"
#include "diptych/reward/score.h"
#include "diptych/rollout/episode.h"

namespace diptych {

/** Places in `episodes` of those that this rank samples: every prompt has one rank, whose number follows from the
 *  prompt's occurrence in the run, so that a refinement is sampled where its first picture was. */
std::vector<size_t> dealt_episodes(const std::vector<EpisodePrompt>& episodes, const ProcessGroup& ranks);

/** Joins the stages of all ranks in the order in which one process would have them. `rollout`: the own stages, of the
 *  prompts at the places `dealt`; `prompts` of all ranks. Others' stages come as `remote`: texts, ends and scores, no
 *  tensors and no pictures. With one rank nothing changes. */
void exchange_stages(ProcessGroup& ranks, const std::vector<size_t>& dealt, int64_t prompts, Rollout& rollout,
                     std::vector<Score>& scores);

}  // namespace diptych
