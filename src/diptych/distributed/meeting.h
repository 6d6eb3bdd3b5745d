#pragma once

#include <chrono>
#include <string>

#include "diptych/distributed/transport.h"

namespace diptych {

/** Waits until all ranks have come to the store, and returns what the keys of this group begin with. A store that
 *  outlives the processes, as torchrun's does, may hold the keys of earlier tries: every try has a name of its own.
 *  Throws Error(peer) naming the ranks that have not come within the deadline. */
std::string meet(KeyStore& store, const ProcessPlace& place, std::chrono::milliseconds deadline);

}  // namespace diptych
