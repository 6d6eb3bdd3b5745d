#include "diptych/tensor/torch.h"

#include "diptych/bench/bench.h"

#include <c10/core/CachingDeviceAllocator.h>

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

/** What CUDA's message says of sizes, without its advice on the allocator. */
std::string sizes_in(const c10::Error& error) {
  const std::string message = error.what_without_backtrace();
  return message.substr(0, message.find(" If reserved"));
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

BenchEffort published_effort() {
  return {.patience = 4};
}

const std::vector<Bench>& benches() {
  static const std::vector<Bench> all = {{"autoencoder", bench_autoencoder}, {"vit", bench_vit},
                                         {"prefill", bench_prefill},         {"edit_context", bench_edit_context},
                                         {"decode", bench_decode},           {"denoise", bench_denoise},
                                         {"training", bench_training},       {"judge", bench_judge}};
  return all;
}

const std::vector<Bench>& published_benches() {
  static const std::vector<Bench> all = {
      {"denoise", bench_published_denoise},         {"decode", bench_published_decode},
      {"autoencoder", bench_published_autoencoder}, {"vit", bench_published_vit},
      {"update", bench_published_update},           {"chain", bench_published_chain}};
  return all;
}

double median_seconds(at::Device device, const BenchEffort& effort, const std::function<void()>& work,
                      const std::function<void()>& warm_up) {
  const double first = seconds_of(device, 1, warm_up ? warm_up : work);
  if (!warm_up && first > effort.patience) return first;
  const Stopwatch watch;
  std::vector<double> seconds = {seconds_of(device, 1, work)};
  const auto calls = static_cast<int64_t>(std::ceil(kSecondsPerRepeat / std::max(seconds.front(), 1e-9)));
  while (static_cast<int>(seconds.size()) < effort.repeats && watch.seconds() + seconds.front() < effort.patience)
    seconds.push_back(seconds_of(device, calls, work));
  const auto middle = seconds.begin() + static_cast<int64_t>(seconds.size() / 2);
  std::nth_element(seconds.begin(), middle, seconds.end());
  return *middle;
}

Measured measure_calls(const BenchInput& input, const std::function<void()>& work,
                       const std::function<void()>& warm_up) {
  const at::Device device = input.device();
  c10::DeviceAllocator* const allocator = counting_allocator(device);
  if (allocator != nullptr) allocator->resetPeakStats(device.index());
  Measured measured{.seconds = median_seconds(device, input.effort, work, warm_up)};
  if (allocator != nullptr) measured.peak_bytes = static_cast<double>(peak_allocated_bytes(*allocator, device));
  if (!input.effort.profile) return measured;
  measured.profile = profile_of(device, work);
  if (!device.is_cpu())
    measured.profile->idle_share = std::max(0.0, 1 - measured.profile->busy_seconds / measured.seconds);
  return measured;
}

bool unless_out_of_memory(const BenchInput& input, const std::string& name, const std::string& work,
                          const std::function<void()>& measurement) {
  BenchRow row;
  row.name = name;
  row.work = work;
  try {
    measurement();
    return true;
  } catch (const c10::OutOfMemoryError& error) {
    row.failure = "out of memory: " + sizes_in(error);
  }
  // Blocks of the sizes of this work are of no use to the next.
  if (c10::DeviceAllocator* const allocator = counting_allocator(input.device())) allocator->emptyCache();
  input.report(row);
  return false;
}

BenchRow matrix_row(const BenchInput& input, const std::string& name, const std::string& work, const std::string& unit,
                    double units, const Measured& measured, double operations) {
  const double rate = operations / measured.seconds;
  BenchRow row{name, work, unit, measured.seconds / units, rate, rate / input.gemm_flops, "GEMM"};
  row.peak_bytes = measured.peak_bytes;
  row.profile = measured.profile;
  return row;
}

}  // namespace diptych
