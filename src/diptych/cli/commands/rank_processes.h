#pragma once
// This program several times on one machine, as the ranks of one run.

#include <chrono>
#include <string>
#include <vector>

namespace diptych {

/** Runs `count` copies of this program with the same arguments, and torchrun's variables to tell them apart, until all
 *  have ended. Rank 0 has our output; of the others only standard error is shown, each line behind "[rank 1] ". The
 *  signals that ask to end (stop_signals(), train/run/stop.h) go on to all ranks. When one fails, the others have
 * `grace` to end by themselves, then SIGTERM, then SIGKILL; when this process ends by any means, they are killed.
 * Returns the status of the rank that failed first, 128 + number for a signal; without a failure ExitCode::interrupted
 * if a rank returned that, else 0. Throws Error(io) if a process cannot be started. */
int run_rank_processes(int count, const std::vector<std::string>& arguments, std::chrono::milliseconds grace);

}  // namespace diptych
