#pragma once
// A pack is a forest of segments. What a token sees, which expert it runs through and where it stands follow from the
// segments alone (docs/architecture.md, "One forward").

#include "diptych/tensor/torch.h"

namespace diptych {

enum class SegmentKind {
  text,          // causal, understanding expert
  vit_image,     // bidirectional, understanding expert
  clean_latent,  // bidirectional, patches through the generation expert, seen by what follows
  noisy_latent,  // the same at time t, seen by nothing outside itself
};

/** One segment. It sees itself, its chain of parents, and the cached rows in front of the first of them. */
struct Segment {
  SegmentKind kind = SegmentKind::text;
  int64_t parent = -1;          // index in the pack of the segment it continues; it must come earlier. -1: none
  int64_t position = 0;         // RoPE id: of the first token of a text, of every token of an image
  std::vector<int64_t> tokens;  // text: ids, markers included
  Tensor content;               // images: patches [grid_height * grid_width, channels], compute dtype
  int64_t grid_height = 0;      // images: patches per column
  int64_t grid_width = 0;       // images: patches per row
  double time = 0;              // noisy_latent: flow time in (0, 1]
  std::vector<int64_t> cached;  // rows of the cache in front of this segment; only where parent is -1
  bool detach_context = false;  // gradients stop at the keys and values of everything seen but the segment itself
};

/** Segments of which each continues the one in front of it; parents are places in the chain, the first has none. */
using SegmentChain = std::vector<Segment>;

/** Tokens of a segment, boundary tokens of images included. */
int64_t token_count(const Segment& segment);

/** RoPE id of what follows: a text advances by its length, an image by one, a noisy image by none (bagel.md 4). */
int64_t next_position(const Segment& segment);

Segment text_segment(std::vector<int64_t> tokens, int64_t parent, int64_t position);

/** patches: [height * width, channels]. */
Segment image_segment(SegmentKind kind, Tensor patches, int64_t height, int64_t width, int64_t parent,
                      int64_t position);

Segment noisy_segment(Tensor latent, int64_t height, int64_t width, double time, int64_t parent, int64_t position);

}  // namespace diptych
