#include "diptych/tensor/device.h"

#include <c10/core/CachingDeviceAllocator.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include "diptych/base/error.h"
#include "diptych/base/text_format.h"

namespace diptych {

namespace {

at::Device parse_device(const std::string& name, const std::string& key) {
  try {
    return at::Device(name);
  } catch (const c10::Error&) {
    throw Error(ExitCode::config, {key, "a device such as cpu, cuda or cuda:1", name, ""});
  }
}

}  // namespace

int device_count(at::DeviceType type) {
  // Of a device that this LibTorch was built without, not even the guard is there.
  return c10::impl::hasDeviceGuardImpl(type) ? c10::impl::getDeviceGuardImpl(type)->deviceCount() : 0;
}

at::Device open_device(const std::string& name, int local_rank, const std::string& key) {
  const at::Device asked = parse_device(name, key);
  if (asked.is_cpu()) return at::kCPU;
  if (asked.is_meta()) throw Error(ExitCode::config, {key, "a device that computes", name, ""});
  const int count = device_count(asked.type());
  if (count == 0)
    throw Error(ExitCode::config, {key, "a device that is here", cat(name, ", of which LibTorch finds none"),
                                   "`diptych doctor` shows what it finds; a GPU needs its driver and a LibTorch built "
                                   "for it (DIPTYCH_TORCH in docs/gpu.md)"});
  if (asked.index() >= count)
    throw Error(ExitCode::config,
                {key, cat("a number below ", count), name,
                 cat(c10::DeviceTypeName(asked.type(), /*lower_case=*/true), " devices count from 0")});
  const at::Device device(asked.type(),
                          asked.has_index() ? asked.index() : static_cast<c10::DeviceIndex>(local_rank % count));
  c10::impl::getDeviceGuardImpl(device.type())->setDevice(device);
  return device;
}

c10::DeviceAllocator* counting_allocator(at::Device device) {
  return device.is_cpu() ? nullptr : dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(device.type()));
}

int64_t peak_allocated_bytes(c10::DeviceAllocator& allocator, at::Device device) {
  return allocator.getDeviceStats(device.index()).allocated_bytes[0].peak;
}

void synchronise(at::Device device) {
  if (!device.is_cpu()) c10::impl::getDeviceGuardImpl(device.type())->synchronizeDevice(device.index());
}

Tensor on_device(const Tensor& host, const at::TensorOptions& options) {
  return host.to(options, /*non_blocking=*/true);
}

Tensor index_on(const std::vector<int64_t>& rows, at::Device device) {
  return on_device(at::tensor(rows, at::kLong), device);
}

at::ScalarType compute_dtype(const std::string& name) {
  return name == "bfloat16" ? at::kBFloat16 : at::kFloat;
}

}  // namespace diptych
