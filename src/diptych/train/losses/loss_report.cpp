#include "diptych/train/losses/loss_report.h"

namespace diptych {

LossReport empty_report() {
  LossReport report;
  for (const LossTerm& term : loss_terms())
    if (!term.keys) report[term.name] = {};
  return report;
}

void add_report(LossReport& into, const LossReport& part) {
  for (const auto& [name, term] : part) {
    into[name].loss += term.loss;
    merge_ratios(into[name].ratios, term.ratios);
  }
}

void merge_ratios(RatioStatistics& into, const RatioStatistics& part) {
  if (part.count == 0) return;
  if (into.count == 0) {
    into = part;
    return;
  }
  const double share = static_cast<double>(part.count) / static_cast<double>(into.count + part.count);
  into.ratio_mean = into.ratio_mean * (1 - share) + part.ratio_mean * share;
  into.fraction_above = into.fraction_above * (1 - share) + part.fraction_above * share;
  into.fraction_below = into.fraction_below * (1 - share) + part.fraction_below * share;
  into.max_abs_log_ratio = at::maximum(into.max_abs_log_ratio, part.max_abs_log_ratio);
  into.count += part.count;
}

}  // namespace diptych
