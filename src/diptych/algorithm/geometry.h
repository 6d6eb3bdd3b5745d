#pragma once
// How the paper's clip range and velocity-MSE weight carry over to other latents and grids.

#include <cstdint>
#include <span>

namespace diptych {

/** Mean of |d mean / d velocity| of the SDE steps low .. high - 1 of a grid. */
double mean_velocity_gain(std::span<const double> grid, int64_t low, int64_t high, double noise_level);

/** Factor for the image clip range and the velocity-MSE weight: both are proportional to gain / sqrt(latent elements),
 *  and the paper's values belong to 262144 elements (1024 px) and 25 updates with shift 3, noise 0.8, window range
 *  [0, 5), where this returns 1. latent_elements: tokens * channels of one image. low, high: the window range. */
double geometry_scale(int64_t latent_elements, std::span<const double> grid, int64_t low, int64_t high,
                      double noise_level);

}  // namespace diptych
