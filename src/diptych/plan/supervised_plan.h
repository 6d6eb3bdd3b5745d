#pragma once
// What a supervised recipe needs, as memory_plan.h, cost_plan.h and advice.h say it of reinforcement.

#include "diptych/plan/advice.h"
#include "diptych/plan/cost_plan.h"
#include "diptych/train/loops/sft.h"

namespace diptych {

PlannedModel planned_model(const ModelConfig& config, const SftRecipe& recipe);

/** What one rank does in a supervised step. */
struct SupervisedWork {
  std::vector<Segment> example;  // system prompt, source pictures, request, thought, picture
  int64_t examples = 0;          // of the rank with most
  int64_t in_pack = 0;
  int64_t pixels = 0;   // side of a picture
  int64_t grid = 0;     // latent tokens per side of a picture
  int64_t sources = 0;  // pictures in front of an example
  int64_t think_tokens = 0;

  std::vector<Segment> pack() const;
};

/** Of examples with a picture to learn, all of which think unless a thought has no tokens. */
SupervisedWork supervised_work(const ModelConfig& config, const SftRecipe& recipe, const PlanOptions& options);

/** Of the ranks, those that no example of a step falls to. */
int64_t idle_ranks(const SftRecipe& recipe, const PlanOptions& options);

MemoryPlan plan_memory(PlannedModel& planned, const SftRecipe& recipe, const PlanOptions& options);

std::vector<PhaseCost> plan_costs(PlannedModel& planned, const SftRecipe& recipe, const PlanOptions& options,
                                  const Gpu& gpu, const Efficiency& efficiency);

std::vector<Advice> advise(const ModelConfig& config, const SftRecipe& recipe, const PlanOptions& options,
                           int64_t limit);

}  // namespace diptych
