#pragma once
// Whether the fused layers of a device compute what they should, on that device.

#include <string>

#include "diptych/tensor/torch.h"

namespace diptych {

/** What is wrong with the fused layers of the device in bfloat16, outputs and gradients, against float64 on the CPU;
 *  empty if nothing is or if it has none. Takes milliseconds. Kernels that were compiled for another card, or by
 * another compiler than the tests', could train on nonsense unnoticed. */
std::string kernel_damage(at::Device device);

/** Before a model computes there in `dtype`. Throws Error(internal) if its fused layers are damaged. */
void require_sound_kernels(at::Device device, at::ScalarType dtype);

/** What to do about damage. */
inline constexpr const char* kKernelRemedy =
    "build with an nvcc no newer than the driver (nvidia-smi shows its CUDA version) and for this card "
    "(-DCMAKE_CUDA_ARCHITECTURES=...), or with DIPTYCH_CMAKE_FLAGS=-DDIPTYCH_CUDA_KERNELS=OFF to do without the fused "
    "layers; if it is numbers that differ, report it";

}  // namespace diptych
