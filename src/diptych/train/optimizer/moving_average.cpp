#include "diptych/train/optimizer/moving_average.h"

namespace diptych {

std::string average_name(const std::string& weight) {
  return "ema/" + weight;
}

std::vector<NamedTensor> start_average(const std::vector<NamedTensor>& weights) {
  std::vector<NamedTensor> average;
  for (const NamedTensor& weight : weights)
    average.push_back({average_name(weight.name), weight.tensor.detach().clone()});
  return average;
}

void update_average(const std::vector<NamedTensor>& average, const std::vector<NamedTensor>& weights, double decay) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < average.size(); ++i) Tensor(average[i].tensor).lerp_(weights[i].tensor, 1 - decay);
}

}  // namespace diptych
