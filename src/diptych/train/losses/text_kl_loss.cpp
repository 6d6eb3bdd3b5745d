// The k3 divergence of the sampled texts from the reference (DeepSeekMath), weighed as the text policy weighs tokens.

#include "diptych/train/losses/loss_term.h"

namespace diptych {

namespace {

TermValue text_divergence(const TextRows& rows, const LossOptions&) {
  return {(k3_divergence(rows.logprobs, rows.reference) * rows.weight).sum()};
}

}  // namespace

std::vector<LossTerm> text_kl_loss() {
  return {{.name = "text_kl",
           .order = 50,
           .weight = [](const LossOptions& options) { return options.text_kl_weight; },
           .is_penalty = true,
           .of_texts = text_divergence}};
}

}  // namespace diptych
