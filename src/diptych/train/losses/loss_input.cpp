#include "diptych/train/losses/loss_input.h"

#include <algorithm>

namespace diptych {

std::vector<double> clamped(std::vector<double> advantages, double limit) {
  if (limit > 0)
    for (double& advantage : advantages) advantage = std::clamp(advantage, -limit, limit);
  return advantages;
}

}  // namespace diptych
