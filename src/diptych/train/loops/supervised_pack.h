#pragma once
// Supervised examples as a pack with targets: flow matching on images, next-token cross-entropy on thoughts.

#include "diptych/data/example.h"
#include "diptych/model/folder/folder.h"

namespace diptych {

struct SupervisedOptions {
  std::string system_prompt;    // in front of prompts that are followed by a thought
  double text_dropout = 0.1;    // share of examples whose image is learnt without any text
  double timestep_shift = 1.0;  // of the flow times
};

/** What some rows of the pack are to predict. */
struct SupervisedPack {
  std::vector<Segment> segments;
  std::vector<std::pair<int64_t, std::vector<int64_t>>> text_targets;  // segment; label of each of its first rows
  std::vector<std::pair<int64_t, Tensor>> flow_targets;                // segment; noise - clean [tokens, channels]
};

/** Packs examples in BAGEL's order (system prompt, source latents, source ViT, prompt, thought, noisy target). Images
 * are encoded without gradient, resized by the model's rules if they are no multiple of its stride. Flow times are
 *  sigmoid(normal), shifted (bagel.md 9). Draws are addressed by (seed, step, number of the example in its batch);
 *  `first` is that of the first one. */
SupervisedPack make_supervised_pack(const Bagel& model, const Tokenizer& tokenizer,
                                    const std::vector<SupervisedExample>& examples, const SupervisedOptions& options,
                                    uint64_t seed, uint64_t step, uint64_t first = 0);

/** What a batch is averaged over: labelled tokens, and elements of velocities. */
struct SupervisedTargets {
  int64_t tokens = 0;
  int64_t elements = 0;

  SupervisedTargets& operator+=(const SupervisedTargets& other) {
    tokens += other.tokens;
    elements += other.elements;
    return *this;
  }
};

SupervisedTargets count_targets(const SupervisedPack& pack);

/** The share of a pack in the loss of its batch. */
struct SupervisedLoss {
  Tensor total;  // scalar with gradient
  double cross_entropy = 0;
  double flow = 0;
};

/** cross_entropy_weight * mean over labelled tokens + flow_weight * mean over elements of (v - target)^2, both over the
 *  targets of the batch, of which this pack has some. */
SupervisedLoss supervised_loss(const Bagel& model, const SupervisedPack& pack, double cross_entropy_weight,
                               double flow_weight, const SupervisedTargets& batch);

}  // namespace diptych
