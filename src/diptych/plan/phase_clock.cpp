#include "diptych/tensor/torch.h"

#include "diptych/plan/phase_clock.h"

#include <algorithm>

namespace diptych {

PhaseClock::PhaseClock(const std::string& dtype, const Gpu& gpu, const Efficiency& efficiency)
    : flops_rate_(1e12 * efficiency.compute * (dtype == "bfloat16" ? gpu.bfloat16_tflops : gpu.float32_tflops)),
      convolution_rate_(1e12 * efficiency.compute * gpu.bfloat16_tflops / 2),
      bytes_rate_(1e12 * efficiency.bandwidth * gpu.bandwidth_tbs) {}

void PhaseClock::add(PhaseCost& cost, double times, double flops, double bytes) const {
  add_at(flops_rate_, cost, times, flops, bytes);
}

void PhaseClock::add_convolutions(PhaseCost& cost, double times, double flops) const {
  add_at(convolution_rate_, cost, times, flops, 0);
}

void PhaseClock::add_transfers(PhaseCost& cost, double times, double bytes) const {
  // What pageable memory reaches over PCIe 5, which is less than half of what pinned memory would.
  constexpr double kHostBytesPerSecond = 20e9;
  cost.seconds += times * bytes / kHostBytesPerSecond;
}

void PhaseClock::add_at(double rate, PhaseCost& cost, double times, double flops, double bytes) const {
  cost.flops += times * flops;
  cost.bytes += times * bytes;
  cost.seconds += times * std::max(flops / rate, bytes / bytes_rate_);
}

}  // namespace diptych
