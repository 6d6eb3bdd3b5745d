#pragma once

#include "diptych/train/rl_config.h"

namespace diptych {

/** The recipe, if it trains what it asks for: its keys are in range already, but some combinations would train nothing,
 *  or something else. Throws Error(config) naming the key. Reads no model, starts nothing. */
RlRecipe checked_recipe(const RlRecipe& recipe);

}  // namespace diptych
