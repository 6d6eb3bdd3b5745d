#pragma once
// Images of equal settings, painted together one step at a time.

#include <deque>

#include "diptych/serve/request.h"

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
  Tensor x;  // [chains * tokens, channels], at times[step]
  int64_t step = 0;
};

/** Takes the first waiting image and up to `most` in all with its size, times and guidance. Their initial noise is
 *  addressed by (seed, choice), as that of sample_images. */
PaintBatch start_batch(const Bagel& model, std::deque<PaintChain>& waiting, int64_t most);

/** One Euler step of all images; after the last one they are decoded and handed on, and the batch is empty. Images do
 *  not depend on each other. */
void paint_step(const Bagel& model, KvCache& cache, PaintBatch& batch, EngineCounters& counters);

/** Drops the images whose requests have ended. */
void drop_ended(PaintBatch& batch);

}  // namespace diptych
