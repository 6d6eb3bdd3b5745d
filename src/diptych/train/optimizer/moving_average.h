#pragma once
// Exponential moving average of weights.

#include "diptych/tensor/named_tensor.h"

namespace diptych {

/** "ema/NAME". */
std::string average_name(const std::string& weight);

/** Copies of the weights under those names. */
std::vector<NamedTensor> start_average(const std::vector<NamedTensor>& weights);

/** average += (1 - decay) (weight - average), in place. */
void update_average(const std::vector<NamedTensor>& average, const std::vector<NamedTensor>& weights, double decay);

}  // namespace diptych
