#pragma once
// The optimizer section of every training recipe.

#include "diptych/base/config/config.h"
#include "diptych/train/optimizer/optimizer.h"

namespace diptych {

struct OptimizerConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0;
  double max_grad_norm = 1.0;
  int64_t warmup_steps = 0;
  std::string decay = "constant";
};

inline void visit(ConfigFields& fields, OptimizerConfig& optimizer) {
  fields.range("beta1", optimizer.beta1, 0, 0.9999999, "decay of AdamW's first moment", Change::recorded);
  fields.range("beta2", optimizer.beta2, 0, 0.9999999, "decay of AdamW's second moment", Change::recorded);
  fields.range("epsilon", optimizer.epsilon, 1e-30, 1, "added to AdamW's denominator", Change::recorded);
  fields.range("weight_decay", optimizer.weight_decay, 0, 1, "decoupled weight decay", Change::recorded);
  fields.range("max_grad_norm", optimizer.max_grad_norm, 0, 1e9,
               "gradient norm per expert above which it is clipped; 0: never", Change::recorded);
  fields.range("warmup_steps", optimizer.warmup_steps, 0, INT64_MAX, "updates of linear warm-up", Change::recorded);
  fields.choice("decay", optimizer.decay, {"constant", "cosine"},
                "learning rate after warm-up; cosine falls to 0 at the last step", Change::recorded);
}

AdamWOptions adamw_options(const OptimizerConfig& config);

/** Factor on all learning rates: warm-up by the number of updates done, times a half cosine over `steps` if asked. */
double learning_rate_scale(const OptimizerConfig& config, int64_t updates, int64_t step, int64_t steps);

/** Throws Error(numerics) for a step that was refused because gradients were not finite; `where` names it. */
void check_applied(const StepReport& report, const std::string& where);

}  // namespace diptych
