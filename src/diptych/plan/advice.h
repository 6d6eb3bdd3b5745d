#pragma once
// What to change in a recipe that does not fit a card.

#include "diptych/plan/memory_plan.h"

namespace diptych {

struct Advice {
  std::string change;  // as a user types it
  std::string cost;    // what is given up for it, in a few words
  int64_t saved = 0;   // bytes of the peak, with the changes before it made
  int64_t peak = 0;    // bytes with it
};

/** Changes to be made one after the other until `limit` bytes hold the peak, or nothing more helps: those that change
 * no result first, then those that cost time or cards, then those that change what is trained. None of them can be
 * left out. */
std::vector<Advice> advise(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options,
                           int64_t limit);

/** For a recipe that trains both experts in full: what it could train instead on as many cards as it has, with what
 * that needs besides, all in one piece of advice. Empty for other recipes, and where `limit` holds none of them. */
std::vector<Advice> lesser_trainings(const ModelConfig& config, const RlRecipe& recipe, const PlanOptions& options,
                                     int64_t limit);

}  // namespace diptych
