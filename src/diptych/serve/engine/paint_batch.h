#pragma once
// Images of equal settings, painted together one step at a time.

#include <deque>

#include "diptych/serve/engine/request.h"

namespace diptych {

/** An image to paint, its context read. */
struct PaintChain {
  std::shared_ptr<Request> request;
  int64_t choice = 0;
  CachedContext context;
  std::string thinking;
  int64_t tokens = 0;  // sampled for it
};

struct PaintBatch {
  std::vector<PaintChain> chains;
  Tensor x;  // [chains * tokens, channels], at times[step]; undefined ahead of the first step
  int64_t step = 0;
};

/** Cache rows that a step of one image takes in passing. */
int64_t rows_of_step(const PaintStage& stage);

/** Whether all contexts of the image are read. */
bool can_be_painted(const PaintChain& chain);

/** Takes the first waiting image that can be painted, and others of its size, times and guidance as far as there are at
 *  most `images` in all and their steps take at most `rows` cache rows together. */
PaintBatch take_batch(std::deque<PaintChain>& waiting, int64_t images, int64_t rows);

/** One Euler step of all images, the first from the initial noise, which is addressed by (seed, choice), as that of
 *  sample_images; after the last one they are decoded and handed on, and the batch is empty. Images do
 *  not depend on each other. */
void paint_step(const Bagel& model, KvCache& cache, PaintBatch& batch, EngineCounters& counters);

/** Drops the images whose requests have ended. */
void drop_ended(PaintBatch& batch);

}  // namespace diptych
