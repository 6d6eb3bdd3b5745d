#pragma once
// Stored contexts of the velocity files, as tasks of the image sampler.

#include "diptych/parity/comparison.h"
#include "diptych/rollout/image_sampler.h"

namespace diptych {

/** Caches of all contexts of a file 06 in one, and one task per sample. */
struct StoredTasks {
  KvCache cache;
  std::vector<ImageTask> tasks;
};

/** Reads `in.ctx.{cond, cfg_text, cfg_img}.*` and `in.image_sizes_hw`. */
StoredTasks stored_tasks(const Bagel& model, const Fixture& fixture);

/** The same tasks with another context in place of the full one. */
std::vector<ImageTask> with_context(std::vector<ImageTask> tasks, const CachedContext ImageTask::*context);

/** Noisy segments of all tasks behind one of their contexts, as the sampler packs them. x: [tokens, channels]. */
std::vector<Segment> noisy_segments(const std::vector<ImageTask>& tasks, const Tensor& x, double time);

/** Index tensors of a denoising pass: those of the full context, `prefix`packed_* and key_values_lens, and those of the
 *  dropped ones, `prefix`cfg_text_* and `prefix`cfg_img_*. */
void compare_denoise_packing(Comparison& comparison, const Fixture& fixture, const std::string& prefix,
                             const Bagel& model, const std::vector<ImageTask>& tasks, const Tensor& x);

/** "global_text4_img1.5_min0.6" -> the guidance of that name, active at every time. Throws Error(data) on another
 *  form. */
Guidance named_guidance(const std::string& name);

}  // namespace diptych
