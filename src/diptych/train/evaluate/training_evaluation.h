#pragma once
// Evaluations of a run.

#include "diptych/eval/benchmark.h"

namespace diptych {

/** What a run keeps of a benchmark's result. */
using RecordResult = std::function<void(const Benchmark& benchmark, const BenchmarkResult& result)>;

/** Evaluates by the benchmarks in turn; each is recorded and told in the log. Returns the numbers of all. */
std::map<std::string, double> evaluate_all(const std::vector<Benchmark>& asked, const EvaluationInput& input,
                                           int64_t step, const RecordResult& record);

}  // namespace diptych
