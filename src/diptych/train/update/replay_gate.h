#pragma once
// The ratio gates: what an update computes must be what the sampler did, and start at ratio 1.

#include "diptych/train/losses/loss_report.h"
#include "diptych/train/update/update_options.h"

namespace diptych {

struct GateReport {
  double text_mean = 0;  // mean |log-prob of replay - of sampler|
  double text_max = 0;
  double tokens = 0;     // compared
  double image_max = 0;  // largest RMS(change of the mean) / sqrt(D), in image clips
};

/** Gate B: replay against sampler. Throws Error(numerics) that says where, beyond the tolerances. */
GateReport check_replay(const Rollout& rollout, const std::vector<size_t>& stages,
                        const std::vector<StageValues>& replayed, const UpdateOptions& options);

/** Gate A: of every term with ratios the largest |log ratio| in its own unit, by name; 0 where there was none. Of
 *  the terms in the report. */
std::map<std::string, double> largest_ratios(const LossReport& report, const LossOptions& options);

/** Throws Error(numerics) where the first update's are too large. */
void check_first_ratios(const std::map<std::string, double>& first);

}  // namespace diptych
