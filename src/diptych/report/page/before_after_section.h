#pragma once
// Held-out pictures and thoughts before and after training, prompt by prompt.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** One run: the pictures of its first and last evaluation side by side, sorted by what became of them. Several runs:
 * the last pictures of all of them for each prompt. Adds a note to a run whose pictures are missing. */
std::string before_after_section(std::vector<RunData>& runs);

}  // namespace diptych
