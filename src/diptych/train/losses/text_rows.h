#pragma once
// The sampled texts of a pack as the loss terms see them: computed once, whichever terms look at them.

#include "diptych/train/losses/loss_input.h"
#include "diptych/train/losses/loss_options.h"

namespace diptych {

/** Texts of all stages that have one, packed. */
struct TextRows {
  Tensor logprobs;                 // of the policy, [tokens], with gradient; the others of its dtype and device
  Tensor old;                      // [tokens], of the policy that the ratios compare with
  Tensor reference;                // [tokens]; undefined where no penalty needs it
  Tensor weight;                   // [tokens], by options.aggregation and the denominators
  std::vector<int64_t> lengths;    // tokens of each text
  std::vector<double> advantages;  // of each text
  int64_t sequences = 0;           // of the whole optimizer step
};

/** input.now must hold log-probabilities. */
TextRows text_rows(const LossInput& input, const LossOptions& options, const LossDenominators& denominators);

}  // namespace diptych
