#pragma once
// Which of several equal servers gets the next request.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "diptych/reward/judge/circuit_breaker.h"

namespace diptych {

/** A place at an endpoint, held while a request is under way. */
struct EndpointPlace {
  size_t endpoint = 0;
  bool is_probe = false;
};

enum class EndpointHealth { working, failing };

class EndpointPool {
 public:
  EndpointPool(std::vector<std::string> urls, int64_t concurrency, const CircuitBreaker& breaker);

  /** A place at the endpoint with the fewest requests under way, of those with a free place that neither rest nor
   * pause. `avoid`, an endpoint that just failed this request, comes last. Nothing if there is no such place. */
  std::optional<EndpointPlace> acquire(std::optional<size_t> avoid, SteadyTime now);
  /** Returns whether the endpoint begins or ends a rest by this. */
  bool release(const EndpointPlace& place, EndpointHealth health, SteadyTime now);
  /** The server asked to be left alone until then. */
  void pause(size_t endpoint, SteadyTime until);

  /** The next time after `now` at which a rest or pause ends; SteadyTime::max() if there is none. */
  SteadyTime next_change(SteadyTime now) const;
  const std::string& url(size_t endpoint) const { return endpoints_[endpoint].url; }
  bool is_resting(size_t endpoint) const { return endpoints_[endpoint].breaker.is_resting(); }
  size_t size() const { return endpoints_.size(); }
  int64_t in_use() const { return in_use_; }
  int64_t places() const { return concurrency_ * static_cast<int64_t>(endpoints_.size()); }

 private:
  struct Endpoint {
    std::string url;
    CircuitBreaker breaker;
    SteadyTime paused_until{};
    int64_t in_use = 0;
    int64_t sent = 0;
  };

  std::vector<Endpoint> endpoints_;
  int64_t concurrency_;
  int64_t in_use_ = 0;
};

}  // namespace diptych
