#pragma once
// Seconds of passes on a named card.

#include "diptych/plan/cost_plan.h"

namespace diptych {

/** Adds up passes, each as long as the slower of arithmetic and memory. */
class PhaseClock {
 public:
  /** dtype: of the model, as in run.dtype. */
  PhaseClock(const std::string& dtype, const Gpu& gpu, const Efficiency& efficiency);

  void add(PhaseCost& cost, double times, double flops, double bytes) const;
  /** float32 convolutions, which cuDNN may compute in TF32: half the rate of bfloat16. */
  void add_convolutions(PhaseCost& cost, double times, double flops) const;
  /** Bytes between the host's memory and the card's, while neither computes. */
  void add_transfers(PhaseCost& cost, double times, double bytes) const;

 private:
  void add_at(double rate, PhaseCost& cost, double times, double flops, double bytes) const;

  double flops_rate_, convolution_rate_, bytes_rate_;
};

}  // namespace diptych
