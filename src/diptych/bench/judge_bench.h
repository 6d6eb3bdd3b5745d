#pragma once

#include "diptych/bench/bench.h"

namespace diptych {

/** A judge against a server in this process that takes 50 ms for every request, with 16 and with 64 requests at once:
 *  the share of the places that were in use while requests waited. Throws Error(reward) if a request fails. */
void bench_judge(const BenchInput& input);

}  // namespace diptych
