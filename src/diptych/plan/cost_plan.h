#pragma once
// Operations and seconds of the phases of a reinforcement step.

#include "diptych/plan/gpu_table.h"
#include "diptych/plan/planned_model.h"
#include "diptych/plan/workload.h"

namespace diptych {

/** Shares of a card's data-sheet rates that a pass is taken to reach: what large products and streams reach in
 * practice, not what was measured on the card. */
struct Efficiency {
  double compute = 0.5;
  double bandwidth = 0.7;
};

struct PhaseCost {
  std::string name;
  double flops = 0;    // 2 per multiply-add
  double bytes = 0;    // that must pass through memory at least: weights once a pass, and cached keys and values
  double seconds = 0;  // the longer of the two, pass by pass
};

/** Bytes that a step of the optimizer passes through memory: masters and both moments are read and written, gradients
 * read. */
double optimizer_traffic(const StateBytes& state);

/** Bytes that merging all adapters passes through memory: the frozen weight comes and is read, the float32 sum is
 *  written, added to and read, the merged weight is written, compared and copied. */
double merge_traffic(PlannedModel& planned);

/** One step of the rank with most chains, all of which are counted as contributing. The pictures that an episode
 *  starts from and makes itself are a phase of their own, drawn once. Rewards, evaluation and messages
 *  between ranks are not in it. */
std::vector<PhaseCost> plan_costs(PlannedModel& planned, const RlRecipe& recipe, const PlanOptions& options,
                                  const Gpu& gpu, const Efficiency& efficiency);

}  // namespace diptych
