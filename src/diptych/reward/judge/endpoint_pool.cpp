#include "diptych/reward/judge/endpoint_pool.h"

#include <algorithm>
#include <tuple>

namespace diptych {

EndpointPool::EndpointPool(std::vector<std::string> urls, int64_t concurrency, const CircuitBreaker& breaker)
    : concurrency_(concurrency) {
  for (std::string& url : urls) endpoints_.push_back({std::move(url), breaker});
}

std::optional<EndpointPlace> EndpointPool::acquire(std::optional<size_t> avoid, SteadyTime now) {
  std::optional<size_t> best;
  const auto rank = [&](size_t index) {
    return std::tuple(avoid == index, endpoints_[index].in_use, endpoints_[index].sent);
  };
  for (size_t index = 0; index < endpoints_.size(); ++index) {
    const Endpoint& endpoint = endpoints_[index];
    if (endpoint.in_use >= concurrency_ || now < endpoint.paused_until || !endpoint.breaker.allows(now)) continue;
    if (!best || rank(index) < rank(*best)) best = index;
  }
  if (!best) return std::nullopt;
  Endpoint& chosen = endpoints_[*best];
  ++chosen.in_use;
  ++chosen.sent;
  ++in_use_;
  return EndpointPlace{*best, chosen.breaker.start()};
}

bool EndpointPool::release(const EndpointPlace& place, EndpointHealth health, SteadyTime now) {
  Endpoint& endpoint = endpoints_[place.endpoint];
  --endpoint.in_use;
  --in_use_;
  const bool was_resting = endpoint.breaker.is_resting();
  if (health == EndpointHealth::working)
    endpoint.breaker.succeed();
  else
    endpoint.breaker.fail(place.is_probe, now);
  return endpoint.breaker.is_resting() != was_resting;
}

void EndpointPool::pause(size_t endpoint, SteadyTime until) {
  endpoints_[endpoint].paused_until = std::max(endpoints_[endpoint].paused_until, until);
}

SteadyTime EndpointPool::next_change(SteadyTime now) const {
  SteadyTime next = SteadyTime::max();
  for (const Endpoint& endpoint : endpoints_) {
    if (endpoint.paused_until > now) next = std::min(next, endpoint.paused_until);
    const CircuitBreaker& breaker = endpoint.breaker;
    if (breaker.is_resting() && breaker.rest_end() > now) next = std::min(next, breaker.rest_end());
  }
  return next;
}

}  // namespace diptych
