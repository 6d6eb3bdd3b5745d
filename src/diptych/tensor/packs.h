#pragma once
// Packs at the same time: on CPUs small tensors gain little from many threads, whole packs nearly everything.

#include <functional>

#include "diptych/tensor/torch.h"

namespace diptych {

/** Calls work(0), ..., work(count - 1). On the CPU with more than one thread (at::get_num_threads) and more than one
 * pack each call has a thread of its own, on which kernels run single-threaded: what a pack computes does not depend on
 * the number of threads. Otherwise the calls come in order, and kernels use all threads. Gradients are on or off as for
 * the caller. If calls throw, the exception of the first of them in order comes out, once all that had begun have
 * ended. */
void for_each_pack(at::Device device, int64_t count, const std::function<void(int64_t)>& work);

/** The number of threads that kernels take, until the end of the scope. */
class KernelThreads {
 public:
  explicit KernelThreads(int count);
  ~KernelThreads();
  KernelThreads(const KernelThreads&) = delete;
  KernelThreads& operator=(const KernelThreads&) = delete;

 private:
  int before_;
};

/** How many calls of for_each_pack are under way at once. */
int64_t packs_at_once(at::Device device, int64_t count);

}  // namespace diptych
