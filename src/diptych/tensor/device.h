#pragma once
// What a program computes on, and in.

#include <string>
#include <vector>

#include "diptych/tensor/torch.h"

namespace c10 {
struct DeviceAllocator;
}

namespace diptych {

/** The device of that name: "cpu", "cuda", "cuda:1", or another that this LibTorch has. Where the name has no number
 *  and the machine several, it is the one with the number `local_rank`, modulo their count; kernels go there from now
 *  on, if this thread launches them. `key` is who asked. Throws Error(config) if it names no device, or none that is
 *  here. */
at::Device open_device(const std::string& name, int local_rank, const std::string& key);

/** How many devices of the type LibTorch finds; 0 where it was built without. */
int device_count(at::DeviceType type);

/** What counts the memory of the device; nullptr for the CPU, which keeps no count. */
c10::DeviceAllocator* counting_allocator(at::Device device);

/** The most bytes of it that were allocated since its count began. */
int64_t peak_allocated_bytes(c10::DeviceAllocator& allocator, at::Device device);

/** Waits until the device has done all that it was asked to do. */
void synchronise(at::Device device);

/** The tensor of the host with the dtype and on the device of `options`. The host does not wait for what the device is
 *  doing: CUDA takes a copy of pageable memory before the call returns. */
Tensor on_device(const Tensor& host, const at::TensorOptions& options);

/** Row numbers for index_select on the device, as on_device. */
Tensor index_on(const std::vector<int64_t>& rows, at::Device device);

/** float32 or bfloat16, by that name. */
at::ScalarType compute_dtype(const std::string& name);

}  // namespace diptych
