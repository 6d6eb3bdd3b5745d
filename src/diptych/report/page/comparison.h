#pragma once
// Several runs side by side in tables.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** Keys whose values differ between runs, with the value of each ("" where a run lacks it); run.dir is left out, and
 * where the runs are of different kinds every key that not all of them have. */
std::vector<std::pair<std::string, std::vector<std::string>>> differing_keys(const std::vector<RunData>& runs);

/** A table of what came of the runs, and one of the recipe keys in which they differ. */
std::string comparison_html(const std::vector<RunData>& runs);

}  // namespace diptych
