#pragma once
// What a program computes on, and in.

#include <string>

#include "diptych/tensor/torch.h"

namespace diptych {

/** The device of that name: "cpu", "cuda", "cuda:1", or another that this LibTorch has. Where the name has no number
 *  and the machine several, it is the one with the number `local_rank`, modulo their count; kernels go there from now
 *  on. `key` is who asked. Throws Error(config) if it names no device, or none that is here. */
at::Device open_device(const std::string& name, int local_rank, const std::string& key);

/** How many devices of the type LibTorch finds; 0 where it was built without. */
int device_count(at::DeviceType type);

/** Waits until the device has done all that it was asked to do. */
void synchronise(at::Device device);

/** float32 or bfloat16, by that name. */
at::ScalarType compute_dtype(const std::string& name);

}  // namespace diptych
