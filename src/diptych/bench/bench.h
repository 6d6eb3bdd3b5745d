#pragma once
// What the parts of a run achieve on this machine, against its limits.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diptych/model/folder.h"
#include "diptych/model/recipe.h"

namespace diptych {

inline constexpr uint64_t kBenchSeed = 1;  // of everything that is drawn

/** One line of the table. */
struct BenchRow {
  std::string name;
  std::string work;                            // what one measurement did
  std::string unit;                            // what is counted, in the singular
  double seconds = 0;                          // per unit, median over the repeats
  std::optional<double> flops;                 // floating-point operations a second; absent where they are not counted
  std::optional<double> share;                 // of the limit; absent where there is none
  std::string limit;                           // "GEMM", "bandwidth" or "places"
  std::optional<double> bytes = std::nullopt;  // a second; absent where they are not counted
  std::optional<double> peak_bytes = std::nullopt;  // of the device's memory meanwhile; absent on the CPU
};

/** How much to measure. */
struct BenchEffort {
  bool quick = false;  // published sizes become small ones
  int repeats = 7;
  int64_t batch = 64;   // images, texts
  int64_t tokens = 24;  // of a sampled text
  int64_t gemm_side = 2048;
  int64_t bandwidth_mebibytes = 512;  // of a copy
  int64_t judge_rounds = 20;          // requests for each place
};

/** Enough to see that everything runs. */
BenchEffort quick_effort();

/** What a benchmark is given. */
struct BenchInput {
  const ModelFolder& folder;
  BenchEffort effort;
  double gemm_flops = 0;  // a second, measured: the limit of everything that multiplies matrices
  double bandwidth = 0;   // bytes a second, measured: the limit of what reads many weights for few rows

  at::Device device() const { return folder.model.embed_tokens.device(); }
};

struct Bench {
  std::string name;
  std::function<std::vector<BenchRow>(const BenchInput&)> run;
};

/** All benchmarks, in the order of the table; "gemm" is not among them, since the others need its result. */
const std::vector<Bench>& benches();

/** The benchmarks of a model at the sizes that people train at (`diptych bench --like`), in the order of the table. */
const std::vector<Bench>& published_benches();

/** Seconds of one call of `work` on the device: the median over the repeats, after a call that warms up. Each repeat
 *  calls it so often that the clock's steps do not matter. */
double median_seconds(at::Device device, int repeats, const std::function<void()>& work);

/** A row about work that multiplies matrices; `seconds` and `operations` are of `units` units. */
BenchRow matrix_row(const BenchInput& input, const std::string& name, const std::string& work, const std::string& unit,
                    double units, double seconds, double operations);

}  // namespace diptych
