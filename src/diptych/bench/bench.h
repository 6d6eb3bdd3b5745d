#pragma once
// What the parts of a run achieve on this machine, against its limits.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "diptych/bench/profile.h"
#include "diptych/model/folder/folder.h"
#include "diptych/model/folder/model_recipe.h"
#include "diptych/train/recipe/rl_config.h"

namespace diptych {

inline constexpr uint64_t kBenchSeed = 1;  // of everything that is drawn

/** The phases of a training step that a row measured, for whoever predicts their memory (plan/memory_plan.h, which
 *  knows this folder and not the other way round). */
struct PlannedPhases {
  RlRecipe recipe;
  int64_t prompt_tokens = 0;        // of a request, without its two markers
  std::vector<std::string> phases;  // by their names there; empty: all
};

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
  std::optional<double> peak_bytes = std::nullopt;      // of the device's memory meanwhile; absent on the CPU
  std::optional<PlannedPhases> planned = std::nullopt;  // absent where the plan knows nothing of the work
  std::optional<double> planned_bytes = std::nullopt;   // of a GPU's memory, from `planned`
  std::optional<Profile> profile = std::nullopt;        // of one call; absent unless it was asked for
  std::string failure = {};  // why there are no numbers, such as too little memory; empty: there are
};

/** How much to measure. */
struct BenchEffort {
  bool quick = false;    // published sizes become small ones
  bool profile = false;  // one more call of everything measured, under torch's profiler
  int repeats = 7;
  double patience = 20;  // seconds after which a measurement has had repeats enough
  int64_t batch = 64;    // images, texts
  int64_t tokens = 24;   // of a sampled text
  int64_t gemm_side = 2048;
  int64_t bandwidth_mebibytes = 512;  // of a copy
  int64_t judge_rounds = 20;          // requests for each place
};

/** Enough to see that everything runs. */
BenchEffort quick_effort();

/** For models of which one call can take a minute: what takes longer than a few seconds is measured once. */
BenchEffort published_effort();

/** What a benchmark is given. */
struct BenchInput {
  const ModelFolder& folder;
  BenchEffort effort;
  std::function<void(BenchRow)> report;  // takes each row as soon as it is there: later ones may not come to be
  double gemm_flops = 0;                 // a second, measured: the limit of everything that multiplies matrices
  double bandwidth = 0;                  // bytes a second, measured: the limit of what reads many weights for few rows

  at::Device device() const { return folder.model.embed_tokens.device(); }
};

struct Bench {
  std::string name;
  std::function<void(const BenchInput&)> run;
};

/** All benchmarks, in the order of the table; "gemm" is not among them, since the others need its result. */
const std::vector<Bench>& benches();

/** The benchmarks of a model at the sizes that people train at (`diptych bench --like`), in the order of the table. */
const std::vector<Bench>& published_benches();

/** Seconds of one call of `work` on the device: the median over the repeats, after a call of `warm_up` that does not
 *  count. Each repeat calls it so often that the clock's steps do not matter. Without a warm-up of its own, the first
 *  call of `work` is that, unless it takes longer than all of effort.patience: then it is the measurement. */
double median_seconds(at::Device device, const BenchEffort& effort, const std::function<void()>& work,
                      const std::function<void()>& warm_up = {});

/** What one call of a piece of work took. */
struct Measured {
  double seconds = 0;                               // as median_seconds
  std::optional<double> peak_bytes = std::nullopt;  // of the device's memory, the most of all calls; absent on the CPU
  std::optional<Profile> profile = std::nullopt;    // of one more call, if the effort asks for it
};

Measured measure_calls(const BenchInput& input, const std::function<void()>& work,
                       const std::function<void()>& warm_up = {});

/** Calls `measurement`. If it needs more memory than the device has, reports a row that says so, gives back what was
 *  kept for later, and returns false. */
bool unless_out_of_memory(const BenchInput& input, const std::string& name, const std::string& work,
                          const std::function<void()>& measurement);

/** A row about work that multiplies matrices; what was measured and `operations` are of `units` units. */
BenchRow matrix_row(const BenchInput& input, const std::string& name, const std::string& work, const std::string& unit,
                    double units, const Measured& measured, double operations);

}  // namespace diptych
