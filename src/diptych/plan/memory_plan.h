#pragma once
// What one rank needs in every phase of a training step.

#include <array>

#include "diptych/plan/planned_model.h"
#include "diptych/plan/workload.h"

namespace diptych {

enum MemoryPhase : size_t { kLoad, kRollout, kReference, kReplay, kUpdate, kOptimizer };
inline constexpr size_t kMemoryPhases = 6;
inline constexpr std::array<const char*, kMemoryPhases> kMemoryPhaseNames = {"load",   "rollout", "reference",
                                                                             "replay", "update",  "optimizer"};

struct MemoryRow {
  std::string name;
  std::array<int64_t, kMemoryPhases> bytes{};
};

/** A row that has the bytes in those phases. */
MemoryRow memory_row(const std::string& name, int64_t bytes, const std::vector<size_t>& phases);

/** A phase without work, such as the reference of a recipe without penalties, has zeros throughout. */
struct MemoryPlan {
  std::vector<MemoryRow> rows;
  std::vector<std::pair<std::string, int64_t>> host;  // bytes that lie in the host's memory instead, from step to step

  int64_t total(size_t phase) const;
  /** The phase that needs most. */
  size_t peak_phase() const;
  int64_t peak() const { return total(peak_phase()); }
};

/** On a CUDA card. `planned`: of the same recipe. */
MemoryPlan plan_memory(PlannedModel& planned, const RlRecipe& recipe, const PlanOptions& options);

}  // namespace diptych
