#include "diptych/train/evaluate/training_evaluation.h"

#include "diptych/base/log.h"
#include "diptych/base/text_format.h"

namespace diptych {

std::map<std::string, double> evaluate_all(const std::vector<Benchmark>& asked, const EvaluationInput& input,
                                           int64_t step, const RecordResult& record) {
  std::map<std::string, double> numbers;
  for (const Benchmark& benchmark : asked) {
    const BenchmarkResult result = evaluate(benchmark, input);
    numbers.insert(result.metrics.begin(), result.metrics.end());
    record(benchmark, result);
    log_info(cat("step ", step, ": ", result.summary));
  }
  return numbers;
}

}  // namespace diptych
