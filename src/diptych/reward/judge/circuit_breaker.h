#pragma once

#include <chrono>
#include <cstdint>

namespace diptych {

using SteadyClock = std::chrono::steady_clock;
using SteadyTime = SteadyClock::time_point;

/** The clock's own unit; at least its resolution for any positive number of seconds. */
constexpr SteadyClock::duration steady_seconds(double seconds) {
  return std::chrono::ceil<SteadyClock::duration>(std::chrono::duration<double>(seconds));
}

/** Decides whether an endpoint is asked. After some failures in a row it rests; then a single request, the probe, tries
 *  it again: success ends the rest, failure begins another one. Time is given, so that tests need no clock. */
class CircuitBreaker {
 public:
  CircuitBreaker(int64_t failures, SteadyClock::duration rest) : limit_(failures), rest_(rest) {}

  /** Whether a request may be sent now. */
  bool allows(SteadyTime now) const;
  /** A request is sent, which allows() permitted. Returns whether it is the probe. */
  bool start();
  /** The endpoint works. */
  void succeed();
  /** A request failed by the endpoint's fault. */
  void fail(bool was_probe, SteadyTime now);

  bool is_resting() const { return resting_; }
  /** When the rest ends; meaningful while resting. */
  SteadyTime rest_end() const { return rest_end_; }

 private:
  int64_t limit_;
  SteadyClock::duration rest_;
  int64_t in_a_row_ = 0;
  bool resting_ = false;
  bool probing_ = false;
  SteadyTime rest_end_{};
};

}  // namespace diptych
