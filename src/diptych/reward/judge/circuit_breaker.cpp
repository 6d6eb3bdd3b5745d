#include "diptych/reward/judge/circuit_breaker.h"

namespace diptych {

bool CircuitBreaker::allows(SteadyTime now) const {
  return !resting_ || (!probing_ && now >= rest_end_);
}

bool CircuitBreaker::start() {
  probing_ = resting_;
  return probing_;
}

void CircuitBreaker::succeed() {
  in_a_row_ = 0;
  resting_ = false;
  probing_ = false;
}

void CircuitBreaker::fail(bool was_probe, SteadyTime now) {
  // A failure of a request from before the rest says nothing new.
  if (resting_ && !was_probe) return;
  probing_ = false;
  if (++in_a_row_ < limit_ && !resting_) return;
  resting_ = true;
  rest_end_ = now + rest_;
}

}  // namespace diptych
