#include "diptych/tensor/packs.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <exception>

namespace diptych {

KernelThreads::KernelThreads(int count) : before_(at::get_num_threads()) {
  at::set_num_threads(count);
}

KernelThreads::~KernelThreads() {
  at::set_num_threads(before_);
}

int64_t packs_at_once(at::Device device, int64_t count) {
  return device.is_cpu() ? std::min<int64_t>(count, at::get_num_threads()) : std::min<int64_t>(count, 1);
}

void for_each_pack(at::Device device, int64_t count, const std::function<void(int64_t)>& work) {
  const auto workers = static_cast<int>(packs_at_once(device, count));
  if (workers <= 1) {
    for (int64_t pack = 0; pack < count; ++pack) work(pack);
    return;
  }
  const bool with_gradients = at::GradMode::is_enabled();
  std::atomic<int64_t> next = 0;
  std::vector<std::exception_ptr> thrown(static_cast<size_t>(count));
  const KernelThreads restored(1);
#pragma omp parallel num_threads(workers)
  {
    // The settings of kernels and of gradients belong to a thread.
    at::set_num_threads(1);
    const at::AutoGradMode mode(with_gradients);
    for (int64_t pack = next++; pack < count; pack = next++) {
      try {
        work(pack);
      } catch (...) {
        thrown[static_cast<size_t>(pack)] = std::current_exception();
        next = count;
      }
    }
  }
  for (const std::exception_ptr& error : thrown)
    if (error) std::rethrow_exception(error);
}

}  // namespace diptych
