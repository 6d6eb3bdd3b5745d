#pragma once
// Flow times of a sampling run: t = 1 is noise, t = 0 is data.

#include <cstdint>
#include <vector>

namespace diptych {

/** Shifted grid t_i = s u_i / (1 + (s - 1) u_i), u_i = (N - 1 - i) / (N - 1), from exactly 1 to exactly 0, in float64.
 *  N points make N - 1 updates. Throws Error(config) unless points >= 2 and shift > 0.
 *  Source: BAGEL generate_image (num_timesteps counts points), UniGRPO Table 3 (shift 3). */
std::vector<double> timestep_grid(int64_t points, double shift);

}  // namespace diptych
