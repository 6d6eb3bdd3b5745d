#pragma once
// Recycling of cache rows: a KvCache only appends, a server runs for weeks.

#include "diptych/rollout/context.h"

namespace diptych {

/** Moves the rows that the contexts name to the front of the cache, in their order, and gives all others up. Contexts
 *  may share rows; their row numbers are renewed. */
void compact(KvCache& cache, const std::vector<CachedContext*>& contexts);

}  // namespace diptych
