#pragma once
// Published models whose geometry the program knows by name.

#include "diptych/model/folder/model_recipe.h"

namespace diptych {

/** Names that model_preset takes. */
std::vector<std::string> model_preset_names();

/** The recipe of a folder with the layout of a published model: its sizes and dtypes, random weights and a tokenizer of
 *  one's own. "bagel-7b" is BAGEL-7B-MoT (bagel.md 10, 11): 14.6 billion weights in bfloat16, the word embedding with
 * its 152064 rows. Throws Error(config) for another name. */
ModelRecipe model_preset(const std::string& name);

}  // namespace diptych
