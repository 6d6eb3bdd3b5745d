#pragma once
// All benchmarks: each is a file NAME_benchmark.cpp of this folder.

#include "diptych/eval/benchmark.h"

namespace diptych {

/** What the files of this folder define (cmake/list.cmake), in no order. */
std::vector<Benchmark> listed_benchmarks();

/** All, in their order. */
const std::vector<Benchmark>& benchmarks();

/** Those that the config asks for. */
std::vector<Benchmark> asked_benchmarks(const EvaluationConfig& config);

}  // namespace diptych
