#pragma once
// The head of a report: what was run, what came of it, and what could not be read.

#include "diptych/report/run_data/run_data.h"

namespace diptych {

/** Sentences, figures and facts of one run, or the comparison of several. */
std::string result_section(const std::vector<RunData>& runs);

/** What was missing or damaged, by run; nothing where all is there. */
std::string notes_section(const std::vector<RunData>& runs);

}  // namespace diptych
