#pragma once
// Batched denoising with an SDE window, addressed noise and optional guidance.

#include "diptych/base/rng.h"
#include "diptych/flow/guidance.h"
#include "diptych/io/image/image.h"
#include "diptych/rollout/context.h"

namespace diptych {

/** The steps of a denoising run: grid[k] to grid[k + 1]. Steps in the window inject noise, the others are Euler steps.
 */
struct DenoiseSchedule {
  std::vector<double> grid;
  double noise_level = 0;
  int64_t window_begin = 0;
  int64_t window_size = 0;
};

/** One image to paint. Dropped contexts matter only where guidance asks for them. */
struct ImageTask {
  CachedContext context;
  CachedContext text_dropped;
  CachedContext image_dropped;
  int64_t grid_height = 0;  // latent tokens
  int64_t grid_width = 0;
  StreamKey key;  // noise of step k is k + 1 positions on, the initial noise at the key's own; purpose is set here
};

/** A painted latent and what the policy gradient needs of the window, each [window, tokens, channels] float32. All in
 *  the host's memory, whatever the device: a whole rollout of them would take much of a GPU's. */
struct SampledImage {
  int64_t grid_height = 0;  // latent tokens
  int64_t grid_width = 0;
  Tensor latent;      // [tokens, channels] at t = 0, normalised units
  Tensor states;      // before each window step
  Tensor nexts;       // after it
  Tensor velocities;  // of the sampling policy at the step, guided
};

/** Initial noise of a task: [tokens, channels]. */
Tensor initial_noise(const ImageTask& task, int64_t channels);

/** Denoises all tasks in one pack per step. Window tensors are undefined where window_size is 0. */
std::vector<SampledImage> sample_images(const Bagel& model, KvCache& cache, const std::vector<ImageTask>& tasks,
                                        const DenoiseSchedule& schedule, const Guidance& guidance);

/** Velocity of all tasks at one time, with guidance: x and result [sum of tokens, channels]. */
Tensor denoise_velocity(const Bagel& model, KvCache& cache, const std::vector<ImageTask>& tasks, const Tensor& x,
                        double time, const Guidance& guidance);

/** How many images of so many pixels decode_latents decodes together. */
int64_t images_decoded_at_once(int64_t pixels);

/** Pixels of latents: tokens [n, channels] of a grid to an 8-bit image. */
std::vector<Image> decode_latents(const Bagel& model, const std::vector<Tensor>& latents, int64_t grid_height,
                                  int64_t grid_width);

}  // namespace diptych
