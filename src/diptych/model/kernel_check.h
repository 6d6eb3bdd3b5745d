#pragma once
// Whether the fused layers of a device compute what they should, on that device.

#include <string>

#include "diptych/tensor/torch.h"

namespace diptych {

/** What is wrong with the fused layers of the device in bfloat16, outputs and gradients, against float64 on the CPU;
 *  empty if nothing is or if it has none. Takes milliseconds. Kernels that were compiled for another card, or by
 * another compiler than the tests', could train on nonsense unnoticed. */
std::string kernel_damage(at::Device device);

}  // namespace diptych
