#pragma once
// Counts the bytes of CPU tensors, so that a test can compare them with what was planned.

#include "diptych/tensor/torch.h"

#include <c10/core/Allocator.h>
#include <c10/util/ThreadLocalDebugInfo.h>

#include <algorithm>

namespace diptych {

/** Bytes that this thread's tensors take, from its construction to the end of its scope; those from before do not
 * count, whether they go or stay. */
class Allocations {
 public:
  int64_t live() const { return counter_->live; }
  int64_t peak() const { return counter_->peak; }
  void forget_peak() { counter_->peak = counter_->live; }

 private:
  struct Counter : c10::MemoryReportingInfoBase {
    bool memoryProfilingEnabled() const override { return true; }
    void reportMemoryUsage(void*, int64_t bytes, size_t, size_t, c10::Device) override {
      live += bytes;
      peak = std::max(peak, live);
    }
    int64_t live = 0;
    int64_t peak = 0;
  };

  std::shared_ptr<Counter> counter_ = std::make_shared<Counter>();
  c10::DebugInfoGuard guard_{c10::DebugInfoKind::PROFILER_STATE, counter_};
};

}  // namespace diptych
