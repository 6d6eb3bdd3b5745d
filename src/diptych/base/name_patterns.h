#pragma once
// Shell patterns that choose names of weights in recipes.

#include <string>
#include <vector>

namespace diptych {

/** Places in `names` of those that match one of the patterns ("*.layers.*", "*_moe_gen*") and none of the patterns that
 *  start with "!". Throws Error(config), located at the recipe key, for a pattern of the first kind that matches
 *  nothing. */
std::vector<size_t> matching_names(const std::vector<std::string>& names, const std::vector<std::string>& patterns,
                                   const std::string& key);

}  // namespace diptych
