#include "diptych/train/optimizer_config.h"

#include <cmath>
#include <numbers>

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

}  // namespace diptych
