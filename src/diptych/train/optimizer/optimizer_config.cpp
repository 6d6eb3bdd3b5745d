#include "diptych/train/optimizer/optimizer_config.h"

#include <cmath>
#include <numbers>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

AdamWOptions adamw_options(const OptimizerConfig& config) {
  AdamWOptions options;
  options.beta1 = config.beta1;
  options.beta2 = config.beta2;
  options.epsilon = config.epsilon;
  options.weight_decay = config.weight_decay;
  return options;
}

double learning_rate_scale(const OptimizerConfig& config, int64_t updates, int64_t step, int64_t steps) {
  const double warmup = warmup_scale(updates, config.warmup_steps);
  if (config.decay == "constant") return warmup;
  return warmup * 0.5 * (1 + std::cos(std::numbers::pi * static_cast<double>(step) / static_cast<double>(steps)));
}

void check_applied(const StepReport& report, const std::string& where) {
  if (report.applied) return;
  const size_t others = report.non_finite.size() - 1;
  throw Error(ExitCode::numerics,
              {where, "finite gradients",
               report.non_finite.front() + (others > 0 ? cat(" and ", others, " more not finite") : " not finite"),
               "lower train.learning_rate: a run that continues takes another"});
}

}  // namespace diptych
