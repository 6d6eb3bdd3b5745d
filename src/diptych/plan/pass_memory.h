#pragma once
// Bytes of activations of one pass through the decoder: what the code of mot.cpp, layers.cpp, fused_layers.cpp,
// rotary.cpp and attention.cpp keeps for the backward pass, and what is alive beside it.

#include "diptych/model/attention/attention.h"
#include "diptych/model/bagel/bagel.h"

namespace diptych {

/** Which code the layers run, since each keeps other tensors. */
enum class Kernels {
  loops,       // CPU, float32: fused layers, attention in loops
  aten_loops,  // CPU, bfloat16: ATen's operations, of which the norm works on float32 copies; attention in loops
  aten,        // CUDA, float32: ATen's operations, attention in groups
  cuda,        // CUDA, bfloat16: fused layers, flash attention over sequences as long as they are
};

/** For run.dtype, in a build with the kernels of CUDA. */
Kernels kernels_on_gpu(const std::string& dtype);

/** The sizes of a pack that decide its bytes. */
struct PackShape {
  int64_t und_rows = 0;
  int64_t latent_rows = 0;
  int64_t logprob_rows = 0;              // of which token_logprobs is asked
  bool detached = false;                 // some image detaches its context
  std::map<GroupShape, int64_t> groups;  // and their blocks
  int64_t seen_keys = 0;                 // of all blocks together

  int64_t rows() const { return und_rows + latent_rows; }
};

PackShape pack_shape(const PackLayout& layout, int64_t logprob_rows);

/** Bytes of a pass with gradients; of those of the parameters only one in the making. */
struct UpdateBytes {
  int64_t kept = 0;     // alive at the end of the forward pass
  int64_t working = 0;  // at most beside them, early in the backward pass
  int64_t last = 0;     // alive, with what is at work, when the backward pass comes to the first layer
};

/** `model`: with requires_grad and adapters as in training; its values are not read. */
UpdateBytes update_bytes(const Bagel& model, const PackShape& pack, Kernels kernels, bool recompute);

/** The most that a pass and the gradients of its parameters take together. Gradients that grow are allocated layer by
 *  layer while activations go. */
int64_t update_peak(const UpdateBytes& pass, int64_t gradients, bool gradients_grow, int64_t layers);

/** The most that is alive in a pass without gradients: replay, denoising, prefill. */
int64_t forward_bytes(const Bagel& model, const PackShape& pack, Kernels kernels);

}  // namespace diptych
