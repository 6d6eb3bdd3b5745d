#pragma once
// What the terms of a loss came to.

#include <map>

#include "diptych/train/losses/loss_term.h"

namespace diptych {

struct TermReport {
  double loss = 0;         // unweighted, without gradient; 0 where the term is absent
  RatioStatistics ratios;  // of new to old policy
};

/** By the terms' names. */
using LossReport = std::map<std::string, TermReport>;

/** Every term, with nothing in it; but those with keys of their own are reported only where they are computed, so that
 *  other runs have no curves of them. */
LossReport empty_report();

/** Adds the report of a part of the batch to that of others. */
void add_report(LossReport& into, const LossReport& part);

/** Statistics of two sets of ratios together. */
void merge_ratios(RatioStatistics& into, const RatioStatistics& part);

}  // namespace diptych
