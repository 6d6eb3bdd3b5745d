#pragma once
// Counts of a judge since it was made, for metrics and `diptych judge check`.

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "diptych/reward/chat/chat.h"

namespace diptych {

struct EndpointStatistics {
  std::string url;
  int64_t sent = 0;
  int64_t failed = 0;
  bool is_resting = false;
};

struct JudgeStatistics {
  int64_t requests = 0;  // asked of the judge
  int64_t answered = 0;  // with a reply, cached ones included
  int64_t failed = 0;    // without one after all tries
  int64_t cache_hits = 0;
  int64_t sent = 0;     // tries
  int64_t retries = 0;  // tries beyond the first of a request
  int64_t images_encoded = 0;
  std::map<std::string, int64_t> failures;  // kind of ChatFailure -> tries that failed so
  int64_t prompt_tokens = 0;                // usage of replies that came, cached ones left out
  int64_t completion_tokens = 0;
  double latency_p50 = 0;  // seconds from sending to the whole reply, of the latest successful tries; 0 without any
  double latency_p95 = 0;
  double busy_share = 0;  // of the concurrency limit, over the time when requests waited for a place; 0 if none did
  std::vector<EndpointStatistics> endpoints;
};

/** The latest so many latencies. */
class LatencyWindow {
 public:
  void add(double seconds);
  /** The smallest latency that at least the share `q` in (0, 1] of those in the window does not exceed; 0 if empty. */
  double quantile(double q) const;

 private:
  static constexpr size_t kSize = 4096;
  std::vector<double> seconds_;
  size_t next_ = 0;
};

/** How much of a limited number of places is in use while there is demand for more. Times are seconds of any one clock
 *  and never decrease. */
class BusyShare {
 public:
  explicit BusyShare(int64_t places) : places_(static_cast<double>(places)) {}

  /** From `now` on, so many places are in use, and work waits or does not. */
  void change(double now, int64_t in_use, bool has_demand);
  /** Time of a place that counted as in use but was not. */
  void discount(double seconds);
  double value() const;

 private:
  double places_;
  double last_ = 0;
  double in_use_ = 0;
  bool has_demand_ = false;
  double busy_ = 0;      // place-seconds
  double possible_ = 0;  // place-seconds
};

/** Where a judge counts. Thread-safe. */
class JudgeMeter {
 public:
  JudgeMeter(std::vector<std::string> urls, int64_t places);

  void count_encoded(size_t images);
  void count_cache_hit();
  /** A request ended. */
  void count_result(const ChatResult& result);
  /** Requests ended without a try, or without a further one. */
  void count_unsent(ChatFailure failure, size_t requests);
  void count_try(size_t endpoint, bool is_retry);
  /** A try ended so. `seconds` is the time of its transfer. */
  void count_reply(const ChatReply& reply, double seconds);
  void count_failure(size_t endpoint, ChatFailure failure);
  void note_resting(size_t endpoint, bool is_resting);

  /** As BusyShare. */
  void note_busy(double now, int64_t in_use, bool has_demand);
  void discount_busy(double seconds);

  JudgeStatistics statistics() const;

 private:
  mutable std::mutex mutex_;
  JudgeStatistics statistics_;
  LatencyWindow latencies_;
  BusyShare busy_;
};

}  // namespace diptych
