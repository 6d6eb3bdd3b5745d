#pragma once
// What the processes of a run do together, on top of their collectives.

#include <functional>

#include "diptych/distributed/process_group.h"

namespace diptych {

/** The place of this process. Warns where its launcher does not tell the number of its GPU. */
ProcessPlace place_of_this_rank();

/** Calls `run` with the group of the processes that a launcher started, which waits `deadline_seconds` for its members.
 *  What it throws is told to the others before it goes on. */
template <class Run>
auto with_ranks(int64_t deadline_seconds, const Run& run) {
  ProcessGroup ranks(place_of_this_rank(), std::chrono::seconds(deadline_seconds));
  try {
    return run(ranks);
  } catch (const std::exception& error) {
    ranks.announce_failure(error.what());
    throw;
  }
}

/** Runs `work` on every rank. Where it throws on some, all throw an Error of the same exit code that names them
 *  (as_error). An error of this rank goes on even if the others cannot be told. One process alone throws what it
 * throws.
 */
void together(ProcessGroup& ranks, const std::string& what, const std::function<void()>& work);

/** Throws Error(config) where a launcher started this process as one of several, for what runs in one only. */
void require_one_process(const std::string& what);

/** Whether it holds on any rank. */
bool any_rank(ProcessGroup& ranks, bool holds, const std::string& what);

}  // namespace diptych
