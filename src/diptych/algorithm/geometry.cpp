#include "diptych/algorithm/geometry.h"

#include <cmath>
#include <vector>

#include "diptych/flow/sde_step.h"
#include "diptych/flow/timestep_grid.h"

namespace diptych {

double mean_velocity_gain(std::span<const double> grid, int64_t low, int64_t high, double noise_level) {
  TORCH_CHECK(low < high, "empty window range [", low, ", ", high, ")");
  double sum = 0;
  for (int64_t step = low; step < high; ++step) sum += std::abs(sde_coefficients(grid, step, noise_level).v);
  return sum / static_cast<double>(high - low);
}

double geometry_scale(int64_t latent_elements, std::span<const double> grid, int64_t low, int64_t high,
                      double noise_level) {
  TORCH_CHECK(latent_elements > 0, latent_elements, " latent elements");
  const double paper_gain = mean_velocity_gain(timestep_grid(26, 3), 0, 5, 0.8);
  return std::sqrt(262144.0 / static_cast<double>(latent_elements)) *
         (mean_velocity_gain(grid, low, high, noise_level) / paper_gain);
}

}  // namespace diptych
