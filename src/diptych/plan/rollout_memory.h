#pragma once
// Bytes of sampling: cache, passes, pixels and what stays of a chain.

#include "diptych/plan/pass_memory.h"
#include "diptych/plan/workload.h"

namespace diptych {

struct RolloutBytes {
  int64_t cache = 0;    // keys and values of a pack of chains, with the room that growing by doubling leaves over
  int64_t texts = 0;    // at work while texts are sampled, prefill included
  int64_t denoise = 0;  // at work in a denoising step
  int64_t decode = 0;   // at work in the autoencoder's decoder
};

/** Of a pack of so many chains whose thoughts reach the cap of `think_tokens`. */
RolloutBytes rollout_bytes(const Bagel& model, const Workload& work, int64_t chains, int64_t think_tokens,
                           Kernels kernels);

/** Of one chain's latent, and states before and after each window step and their velocities; float32. */
int64_t trajectory_bytes(const Workload& work);

/** Of the values that a pass computes for a chain: velocities of the window and log-probabilities; float32. */
int64_t chain_value_bytes(const Workload& work);

/** The most that is alive in the decoder of the autoencoder for a batch of images, without gradients. */
int64_t autoencoder_decode_bytes(const Autoencoder& autoencoder, int64_t images, int64_t pixels);

}  // namespace diptych
