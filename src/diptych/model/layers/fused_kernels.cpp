#include "diptych/model/layers/fused_kernels.h"

#include <array>

namespace diptych {

#ifdef DIPTYCH_CUDA_KERNELS
const FusedKernels& cuda_kernels();  // in model/layers/cuda_kernels.cpp
#endif

namespace {

constexpr int64_t kWidthMultiple = 8;

using Table = std::array<const FusedKernels*, c10::COMPILE_TIME_MAX_DEVICE_TYPES>;

Table& registered() {
  static Table table = [] {
    Table first{};
#ifdef DIPTYCH_CUDA_KERNELS
    first[static_cast<size_t>(at::kCUDA)] = &cuda_kernels();
#endif
    return first;
  }();
  return table;
}

}  // namespace

void refuse_second_gradients() {
  TORCH_CHECK(!at::GradMode::is_enabled(), "fused layers have no second gradients, which create_graph=true asks for");
}

const FusedKernels* fused_kernels(const Tensor& x, const Tensor& weight) {
  if (weight.scalar_type() != x.scalar_type()) return nullptr;
  if (x.is_cpu()) {
    const bool has_loops = x.scalar_type() == at::kFloat || x.scalar_type() == at::kDouble;
    return has_loops ? &cpu_kernels() : nullptr;
  }
  const bool takes = x.scalar_type() == at::kBFloat16 && x.size(-1) % kWidthMultiple == 0;
  return takes ? registered()[static_cast<size_t>(x.device().type())] : nullptr;
}

bool has_fused_kernels(at::DeviceType type) {
  return registered()[static_cast<size_t>(type)] != nullptr;
}

void register_fused_kernels(at::DeviceType type, const FusedKernels* kernels) {
  registered()[static_cast<size_t>(type)] = kernels;
}

}  // namespace diptych
