// Velocity MSE to the reference (UniGRPO Eq. 8), which also holds steps without noise.

#include "diptych/algorithm/regularizers.h"
#include "diptych/train/losses/loss_term.h"

namespace diptych {

namespace {

TermValue velocity_penalty(const WindowRows& rows, const LossOptions&) {
  return {mean_over_window(velocity_mse(rows.velocity, rows.reference), rows)};
}

}  // namespace

std::vector<LossTerm> velocity_mse_loss() {
  return {{.name = "velocity_mse",
           .order = 30,
           .weight = [](const LossOptions& options) { return options.velocity_mse_weight; },
           .is_penalty = true,
           .of_windows = velocity_penalty}};
}

}  // namespace diptych
