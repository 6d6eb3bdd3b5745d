// The exact KL of the denoising steps under policy and reference (Flow-GRPO). Steps without noise have none.

#include "diptych/algorithm/regularizers.h"
#include "diptych/train/losses/loss_term.h"

namespace diptych {

namespace {

TermValue latent_divergence(const WindowRows& rows, const LossOptions&) {
  if (rows.noise_level == 0) return {};
  return {mean_over_window(latent_kl(rows.mean, mean_under(rows.reference, rows), rows.std), rows)};
}

}  // namespace

std::vector<LossTerm> latent_kl_loss() {
  return {{.name = "latent_kl",
           .order = 40,
           .weight = [](const LossOptions& options) { return options.latent_kl_weight; },
           .is_penalty = true,
           .of_windows = latent_divergence}};
}

}  // namespace diptych
