#include "diptych/eval/benchmarks/benchmarks.h"

#include <algorithm>

#include "diptych/eval/benchmarks/evaluation_defaults.h"

namespace diptych {

const std::vector<Benchmark>& benchmarks() {
  static const std::vector<Benchmark> all = [] {
    std::vector<Benchmark> listed = listed_benchmarks();
    std::ranges::sort(listed, {}, &Benchmark::order);
    return listed;
  }();
  return all;
}

EvaluationConfig evaluation_defaults() {
  EvaluationConfig config;
  for (const Benchmark& benchmark : benchmarks())
    if (benchmark.keys) config.sections.emplace(benchmark.name, *benchmark.keys);
  return config;
}

std::vector<Benchmark> asked_benchmarks(const EvaluationConfig& config) {
  std::vector<Benchmark> asked;
  for (const Benchmark& benchmark : benchmarks())
    if (benchmark.is_asked(config)) asked.push_back(benchmark);
  return asked;
}

}  // namespace diptych
