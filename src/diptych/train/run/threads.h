#pragma once
// How many threads compute.

#include <string>
#include <vector>

#include "diptych/base/processors.h"
#include "diptych/distributed/process_group.h"

namespace diptych {

/** What a rank may use of its machine. */
struct RankProcessors {
  std::string machine;  // this_machine()
  Processors processors;
};

/** The threads of rank `own` among all ranks: its share of the processors that its affinity allows, which others on its
 *  machine may use too, but no more than its share of its quota, which others may be under too; at least 1. */
int fair_threads(const std::vector<RankProcessors>& ranks, size_t own);

/** Sets the number of torch threads. 0: as many as there are processors for this process, which is alone. */
void use_threads(int64_t threads);
/** The same, but 0: fair_threads(). A collective. */
void use_threads(int64_t threads, ProcessGroup& ranks);

}  // namespace diptych
