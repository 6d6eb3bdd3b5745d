#pragma once
// The training pack of file 09 as segments.

#include "diptych/model/bagel/bagel.h"
#include "diptych/parity/comparison.h"

namespace diptych {

/** What the splits under `prefix` are, from `split_lens`, `attn_modes` and the places of the tokens. */
struct SplitList {
  std::vector<SegmentKind> kinds;
  std::vector<int64_t> lengths;
  std::vector<int64_t> samples;  // sample of each split
};
SplitList stored_splits(const Fixture& fixture, const std::string& prefix);

/** The segments of a pack whose samples are chains of splits: every segment continues the last one of its sample that
 *  others may see. `position_steps`: by how much each segment's position exceeds what the one before leaves, for
 *  dropped images. Fills in parents and positions. */
void chain_segments(const std::vector<int64_t>& samples, const std::vector<int64_t>& position_steps,
                    std::vector<Segment>& segments);

struct TrainingPack {
  std::vector<Segment> segments;
  std::vector<int64_t> samples;  // sample of each segment
  Tensor times;                  // [latent tokens] float64, 0 for clean images
  Tensor target;                 // [noisy tokens, channels], noise - clean
};

/** Segments with contents, from the stored latents, noise and times. */
TrainingPack training_pack(const Bagel& model, const Fixture& fixture);

/** The index tensors of the pack under `prefix` against our layout. */
void compare_training_layout(Comparison& comparison, const Fixture& fixture, const std::string& prefix,
                             const Bagel& model, const std::vector<Segment>& segments,
                             const std::vector<int64_t>& samples);

/** Who sees whom, from the attention plan: [tokens, tokens] bool in the official order. */
Tensor visibility(const PackLayout& layout);

/** Token losses and velocity errors of the pack; sums follow the official training loss. */
struct TrainingLoss {
  Tensor token_losses;    // [tokens with loss] cross entropies
  Tensor velocity;        // [noisy tokens, channels]
  Tensor squared_errors;  // [noisy tokens, channels]
  Tensor ce;              // mean of token_losses
  Tensor mse;             // mean over channels, then over noisy tokens
};
TrainingLoss training_loss(const Bagel& model, const Fixture& fixture, const TrainingPack& pack,
                           const PackOutput& output);

}  // namespace diptych
