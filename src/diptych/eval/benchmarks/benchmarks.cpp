#include "diptych/eval/benchmarks/benchmarks.h"

#include "diptych/eval/benchmarks/evaluation_defaults.h"

namespace diptych {

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
