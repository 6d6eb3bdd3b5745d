#pragma once
// A rollout seen again by the training pass: one pack, every log-probability and velocity of its chains in one forward.

#include "diptych/rollout/trajectory.h"

namespace diptych {

/** What the policy says about stored actions. Rows are concatenated over the chains in the given order. */
struct ReplayOutput {
  Tensor logprobs;                 // [actions], of all sampled tokens of all chains; undefined without any
  std::vector<Tensor> velocities;  // per chain [window, tokens, channels], guided; undefined without an image. Empty
                                   // where no chain has a window
  double flops = 0;                // of the forward pass
};

struct ReplayOptions {
  double temperature = 1;       // of the text policy
  bool detach_context = false;  // image losses do not reach the context
  bool with_text = true;        // compute token log-probabilities
  bool with_image = true;       // compute velocities
};

/** One forward over the chains with those indices: [context, shared by the group][text][noisy copy 1]...[copy K] each,
 *  and for guidance one more shared context with its own copies per dropped part, at the steps where guidance acts.
 *  Gradients flow unless a no-grad guard is set. Source: design of the joint update, docs/architecture.md. */
ReplayOutput replay(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& chains,
                    const ReplayOptions& options);

}  // namespace diptych
