#pragma once
// A rollout seen again by the training pass: one pack, every log-probability and velocity of its stages in one forward.

#include "diptych/rollout/stage.h"

namespace diptych {

/** What the policy says about stored actions. Rows are concatenated over the stages in the given order. */
struct ReplayOutput {
  Tensor logprobs;                 // [actions], of all sampled tokens of all stages; undefined without any
  std::vector<Tensor> velocities;  // per stage [window, tokens, channels], guided; undefined without an image. Empty
                                   // where no stage has a window
  double flops = 0;                // of the forward pass
};

struct ReplayOptions {
  double temperature = 1;       // of the text policy
  bool detach_context = false;  // image losses do not reach the context
  bool with_text = true;        // compute token log-probabilities
  bool with_image = true;       // compute velocities
};

/** One forward over the stages with those indices: [context, shared by the group][text][noisy copy 1]...[copy K] each,
 *  and for guidance one more shared context with its own copies per dropped part, at the steps where guidance acts.
 *  Gradients flow unless a no-grad guard is set. Source: design of the joint update, docs/architecture.md. */
ReplayOutput replay(const Bagel& model, const Rollout& rollout, const std::vector<size_t>& stages,
                    const ReplayOptions& options);

/** What a policy says about one stored stage, without gradient; in the host's memory. */
struct StageValues {
  Tensor logprobs;    // [actions], float32; undefined without a sampled text
  Tensor velocities;  // [window, tokens, channels]; undefined without a sampled image or a window
};

/** Per-stage values of a replay, detached, in the order of its stages. */
std::vector<StageValues> stage_values(const Rollout& rollout, const std::vector<size_t>& stages,
                                      const ReplayOutput& output);

/** What the sampler recorded of every stage. */
std::vector<StageValues> sampler_values(const Rollout& rollout);

}  // namespace diptych
