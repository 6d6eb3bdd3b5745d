#pragma once
// The denoising steps of a pack as the loss terms see them: computed once, whichever terms look at them.

#include "diptych/train/losses/loss_input.h"
#include "diptych/train/losses/loss_options.h"

namespace diptych {

/** Stored steps of the stages whose images have one size; a row is one step of one stage, the window's steps of a stage
 *  one after the other. Their step is x_next = mean + std noise, mean = x state + v velocity (flow/sde_step.h). */
struct WindowRows {
  Tensor velocity;      // of the policy, [rows, tokens, channels], with gradient; the others of its dtype and device
  Tensor old_velocity;  // the same of the policy that the ratios compare with
  Tensor reference;     // the same of the reference; undefined where no penalty needs it
  Tensor state, next;   // latents ahead of the step and behind it
  Tensor mean;          // under `velocity`, with gradient
  Tensor x, v;          // [rows, 1, 1]
  Tensor std;           // [rows]
  std::vector<double> advantages;  // of each row
  std::vector<double> dt;          // of each step of the window
  double noise_level = 0;          // 0: std is 0
  int64_t images = 0;              // of the whole optimizer step

  int64_t stages() const { return velocity.size(0) / static_cast<int64_t>(dt.size()); }
};

/** Places in input.stages of the stages with velocities, those with images of one size together. */
std::vector<std::vector<size_t>> places_by_size(const LossInput& input);

/** Rows of the stages at these places, whose images have one size. */
WindowRows window_rows(const LossInput& input, const std::vector<size_t>& places, const LossDenominators& denominators);

/** Means of the steps under another velocity. */
Tensor mean_under(const Tensor& velocity, const WindowRows& rows);

/** The mean over the window and over all images of the optimizer step of what is given a row, [rows], whatever the
 *  policy's weights of the steps. */
Tensor mean_over_window(const Tensor& of_rows, const WindowRows& rows);

/** d mean / d velocity of the window steps: how a change of velocity moves the step's Gaussian. */
std::vector<double> window_gains(const DenoiseSchedule& schedule);

}  // namespace diptych
