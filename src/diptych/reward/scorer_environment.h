#pragma once
// The environment variables of a scorer.

#include <string>
#include <vector>

namespace diptych {

/** Which process of a run asks the scorer. */
struct ScorerPlace {
  int rank = 0;
  int world = 1;
  int local_rank = 0;  // among the processes of its machine: the number of its GPU
};

/** `variables` ("NAME=value") without those by which a launcher tells a process its place: libraries that find them
 *  would join the run as one of its processes, or wait for others. In their stead DIPTYCH_RANK, DIPTYCH_WORLD_SIZE and
 *  DIPTYCH_LOCAL_RANK. PYTHONUNBUFFERED is set, or answers would wait for a flush that scripts forget. */
std::vector<std::string> scorer_environment(const std::vector<std::string>& variables, const ScorerPlace& place);

/** The same of this process's own variables. */
std::vector<std::string> scorer_environment(const ScorerPlace& place);

}  // namespace diptych
