#include "diptych/bench/bench.h"

#include <algorithm>
#include <cmath>

#include "diptych/base/stopwatch.h"
#include "diptych/bench/judge_bench.h"
#include "diptych/bench/model_bench.h"
#include "diptych/bench/published_bench.h"
#include "diptych/bench/training_bench.h"
#include "diptych/tensor/device.h"

namespace diptych {

namespace {

constexpr double kSecondsPerRepeat = 0.02;

double seconds_of(at::Device device, int64_t calls, const std::function<void()>& work) {
  const Stopwatch watch;
  for (int64_t call = 0; call < calls; ++call) work();
  synchronise(device);
  return watch.seconds() / static_cast<double>(calls);
}

}  // namespace

BenchEffort quick_effort() {
  return {.quick = true,
          .repeats = 3,
          .batch = 4,
          .tokens = 4,
          .gemm_side = 256,
          .bandwidth_mebibytes = 4,
          .judge_rounds = 4};
}

const std::vector<Bench>& benches() {
  static const std::vector<Bench> all = {{"autoencoder", bench_autoencoder}, {"vit", bench_vit},
                                         {"prefill", bench_prefill},         {"edit_context", bench_edit_context},
                                         {"decode", bench_decode},           {"denoise", bench_denoise},
                                         {"training", bench_training},       {"judge", bench_judge}};
  return all;
}

const std::vector<Bench>& published_benches() {
  static const std::vector<Bench> all = {{"denoise", bench_published_denoise},
                                         {"decode", bench_published_decode},
                                         {"update", bench_published_update},
                                         {"chain", bench_published_chain}};
  return all;
}

double median_seconds(at::Device device, int repeats, const std::function<void()>& work) {
  work();
  synchronise(device);
  const double once = seconds_of(device, 1, work);
  const auto calls = static_cast<int64_t>(std::ceil(kSecondsPerRepeat / std::max(once, 1e-9)));
  std::vector<double> seconds;
  for (int repeat = 0; repeat < repeats; ++repeat) seconds.push_back(seconds_of(device, calls, work));
  std::nth_element(seconds.begin(), seconds.begin() + repeats / 2, seconds.end());
  return seconds[static_cast<size_t>(repeats / 2)];
}

BenchRow matrix_row(const BenchInput& input, const std::string& name, const std::string& work, const std::string& unit,
                    double units, double seconds, double operations) {
  const double rate = operations / seconds;
  return {name, work, unit, seconds / units, rate, rate / input.gemm_flops, "GEMM"};
}

}  // namespace diptych
