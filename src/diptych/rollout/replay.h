#pragma once
// A rollout seen again by the training pass: one pack per trajectory, every log-probability and velocity in one
// forward.

#include "diptych/rollout/trajectory.h"

namespace diptych {

/** What the policy says about stored actions. Rows are concatenated over the chains in the given order. */
struct ReplayOutput {
  Tensor logprobs;                 // [actions], of all think tokens of all chains; undefined without thinking
  std::vector<Tensor> velocities;  // per chain [window, tokens, channels], guided; empty without a window
  double flops = 0;                // of the forward pass
};

struct ReplayOptions {
  double temperature = 1;            // of the text policy
  bool detach_context = false;       // image losses do not reach the text context
  bool with_text = true;             // compute token log-probabilities
  bool with_image = true;            // compute velocities
  std::vector<int64_t> dropped_ids;  // text that the unconditional branch sees; empty: nothing
  Guidance guidance;
};

/** One forward over the chains with those indices: [prompt, shared by the group][thinking][noisy copy 1]...[copy K]
 *  each. Gradients flow unless a no-grad guard is set. Source: design of the joint update, docs/architecture.md. */
ReplayOutput replay(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& chains,
                    const ReplayOptions& options);

}  // namespace diptych
