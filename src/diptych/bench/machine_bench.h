#pragma once
// What the machine itself does: the limits of everything else.

#include "diptych/bench/bench.h"

namespace diptych {

/** Matrix products on the model's device in its dtype: a large square, whose rate is the limit of the other benchmarks,
 *  and the MLP of the model for 1024 tokens. */
std::vector<BenchRow> bench_gemm(const Bagel& model, const BenchEffort& effort);

/** Copying memory on the device; a byte read and a byte written count as two. */
BenchRow bench_bandwidth(at::Device device, const BenchEffort& effort);

}  // namespace diptych
